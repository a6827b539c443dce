"""Lanes: what one leaves of its share another has, and those that a slow walk saw are taken from without one."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from queue_kit import HANDLERS, Rows, ask, ask_in, stand, working
from queue_trial import Seen

from patience import until
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.jobs import lanes
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.lease import QueueWork
from tenantry.foundation.jobs.queues import pause, resume
from tenantry.foundation.jobs.taking import Taker
from tenantry.foundation.runtime import Runtime

LATE_AT = """
    insert into tenantry.jobs (id, seq, kind, queue, args)
    select gen_random_uuid(), {place}, 'queue_trial.nothing', 'default', '{{}}' returning id
"""
NOTHING = NewJob("queue_trial.nothing")


@pytest.fixture
def slow_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each walk counts as slow, and none is made while a lane is known."""
    monkeypatch.setattr(lanes, "SLOW", -1.0)
    monkeypatch.setattr(lanes, "WALKING", 1e-9)
    monkeypatch.setattr(lanes, "LONGEST", 60.0)


@pytest.fixture
def taker(runtime: Runtime) -> Taker:
    """What claims for a worker whose only queue is the default one."""
    return Taker(runtime, [one for one in HANDLERS if one.queue == "default"], worker=new_id(), lease=60.0)


async def test_what_a_lane_leaves_of_its_share_another_has_at_once(runtime: Runtime, taker: Taker) -> None:
    await ask_in(runtime, 1, *[NOTHING] * 60)
    await ask_in(runtime, 2, NOTHING)
    taken = await taker.take(100)
    assert 0 < len(taken) < 61
    while taker.more:
        taken += await taker.take(100)
    assert len(taken) == 61


@pytest.mark.usefixtures("slow_walks")
async def test_known_lanes_give_all_they_have(runtime: Runtime, seen: Seen, rows: Rows) -> None:
    for org in range(3):
        await ask_in(runtime, org, *[NOTHING] * 100 * (org + 1))
    async with working(runtime, concurrency=20):
        await until(lambda: len(seen.runs) >= 600)
    assert len({id for _, id, _ in seen.runs}) == len(seen.runs) == 600
    assert await rows.count("jobs") == await rows.count("job_runs") == 0


@pytest.mark.usefixtures("slow_walks")
async def test_an_empty_known_lane_sends_the_worker_on_a_walk(runtime: Runtime, taker: Taker) -> None:
    await ask_in(runtime, 1, NOTHING)
    assert len(await taker.take(10)) == 1
    await ask_in(runtime, 2, NOTHING)
    assert [job.lane for job in await taker.take(10)] == [UUID(int=2)]


async def test_a_lane_nobody_has_seen_waits_for_the_next_walk_and_no_longer(
    runtime: Runtime, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "SLOW", -1.0)
    monkeypatch.setattr(lanes, "WALKING", 1e-9)
    monkeypatch.setattr(lanes, "LONGEST", 0.3)
    await ask_in(runtime, 1, *[NOTHING] * 5000)
    assert len(await taker.take(2)) == 2
    walked = time.monotonic()
    await ask_in(runtime, 2, NOTHING)

    async def seen_at_last() -> bool:
        return UUID(int=2) in {job.lane for job in await taker.take(2)}

    assert not await seen_at_last()
    await until(seen_at_last, within=2)
    assert time.monotonic() - walked >= 0.3


@pytest.mark.usefixtures("slow_walks")
async def test_who_took_a_place_early_and_commits_late_is_found_in_a_known_lane(
    runtime: Runtime, taker: Taker, rows: Rows
) -> None:
    await ask(runtime, *[NOTHING] * 4)
    first = await taker.take(2)
    ((late,),) = await rows(LATE_AT.format(place=first[0].seq - 1))
    assert [job.id for job in await taker.take(1)] == [late]


@pytest.mark.usefixtures("slow_walks")
async def test_a_known_lane_of_a_paused_queue_gives_nothing(runtime: Runtime, taker: Taker) -> None:
    await ask(runtime, *[NOTHING] * 4)
    assert len(await taker.take(2)) == 2
    async with QueueWork(runtime, reason="a trial") as work:
        await pause(work, "default")
    assert await taker.take(2) == []
    async with QueueWork(runtime, reason="a trial") as work:
        await resume(work, "default")
    assert len(await taker.take(2)) == 2


@pytest.mark.usefixtures("slow_walks")
async def test_as_many_lanes_as_room_are_never_all_that_is_known(runtime: Runtime, taker: Taker) -> None:
    for org in range(1, 7):
        await ask_in(runtime, org, NOTHING, NOTHING)
    served = [job.lane.int for _ in range(3) for job in await taker.take(2)]
    assert sorted(served) == [1, 2, 3, 4, 5, 6]


def _taking(runtime: Runtime, *queues: str) -> Taker:
    return Taker(runtime, [one for one in HANDLERS if one.queue in queues], worker=new_id(), lease=60.0)


async def _taken_one_by_one(taker: Taker, times: int) -> list[tuple[str, int]]:
    return [(job.queue, job.lane.int) for _ in range(times) for job in await taker.take(1)]


async def test_a_flooded_queue_leaves_the_only_free_place_to_another_in_turn(runtime: Runtime) -> None:
    await ask_in(runtime, 2, *[NOTHING] * 60, NewJob("queue_trial.nothing", queue="slow"))
    await ask_in(runtime, 1, NewJob("queue_trial.nothing", queue="slow"))
    taken = await _taken_one_by_one(_taking(runtime, "default", "slow"), 10)
    assert {("default", 2), ("slow", 1), ("slow", 2)} == set(taken)


async def test_who_is_urgent_does_not_decide_which_of_the_others_come(runtime: Runtime) -> None:
    urgent, taker = NewJob("queue_trial.nothing", priority=-1), _taking(runtime, "default")
    await ask_in(runtime, 1, *[NOTHING] * 60)
    await ask_in(runtime, 2, NOTHING)
    lanes_taken: list[int] = []
    for _ in range(10):
        await ask_in(runtime, 9, urgent)
        lanes_taken += [job.lane.int for job in await taker.take(2)]
    assert {1, 2, 9} == set(lanes_taken)


@pytest.mark.parametrize(("others", "times"), [(0, 5), (60, 10)])
async def test_limited_queues_have_the_only_free_place_in_turn(runtime: Runtime, others: int, times: int) -> None:
    names = ("ordered", "paired", "shared")
    await ask(runtime, *[NOTHING] * others)
    for name in names:
        await ask(runtime, *[stand(name, f"{number}", group=f"{number}") for number in range(20)])
    taken = await _taken_one_by_one(_taking(runtime, "default", *names), times)
    assert set(names) <= {queue for queue, _ in taken}
