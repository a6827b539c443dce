"""Queues with limits: how many of their jobs run at once and how fast they start, fairly between organizations."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from types import ModuleType

import pytest
from queue_kit import HANDLERS, Rows, ask_in, stand, working
from queue_trial import NARROW, ORDERED, Seen

from patience import until
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.jobs.handler import Job, handles
from tenantry.foundation.jobs.lease import QueueWork
from tenantry.foundation.jobs.limited import BUSY, FIRST_LANE, claim_limited
from tenantry.foundation.jobs.limits import enrol
from tenantry.foundation.jobs.queue import Queue, Rate
from tenantry.foundation.jobs.worker import Pace, Worker, drain_jobs
from tenantry.foundation.runtime import Runtime

EXPIRE = "update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second' returning id"


async def claimed(worker: Worker, room: int = 20) -> list[str]:
    """The queues of what a worker takes when it goes on until there is nothing for it."""
    taken = await worker._claim(room)
    while worker._taker.more:
        taken += await worker._claim(room)
    return [f"{job.queue}/{job.lane.int}" for job in taken]


async def test_no_more_jobs_of_a_queue_run_than_it_lets_whoever_claims(
    runtime: Runtime, another: Runtime, rows: Rows
) -> None:
    await ask_in(runtime, None, *[stand("narrow", f"n{n}") for n in range(30)])
    workers = [Worker(made, HANDLERS) for made in (runtime, another) for _ in range(2)]
    taken = await asyncio.gather(*(claimed(worker) for worker in workers))
    # whoever found the queue locked looks again a moment later
    assert sum(map(len, taken)) == 2
    assert await rows.count("job_runs") == 2
    assert [await claimed(worker) for worker in workers] == [[]] * 4
    await rows(EXPIRE)
    await workers[0]._sweep()
    assert len(await claimed(workers[1])) == 2


async def test_a_claim_that_is_not_committed_yet_keeps_the_next_one_from_counting_without_it(
    runtime: Runtime, another: Runtime
) -> None:
    await ask_in(runtime, 1, *[stand("narrow", f"n{n}") for n in range(4)])
    claim = {"start": FIRST_LANE, "room": 5, "lease": 9.0, "worker": new_id()}
    async with QueueWork(runtime, reason="a test") as work:
        await enrol(work, names=["narrow"])
    async with QueueWork(runtime, reason="a test") as first, QueueWork(another, reason="a test") as second:
        assert len((await claim_limited(first, NARROW, **claim)).jobs) == 2
        async with asyncio.timeout(1):
            late = await claim_limited(second, NARROW, **claim)
    assert (late.jobs, late.again_in, late.more) == ([], BUSY, False)


async def test_places_are_shared_evenly_between_organizations_within_the_limit_of_each(
    runtime: Runtime, rows: Rows
) -> None:
    await ask_in(runtime, 1, *[stand("shared", "a") for _ in range(30)])
    alone = Worker(runtime, HANDLERS)
    assert Counter(await claimed(alone)) == {"shared/1": 3}
    await ask_in(runtime, 2, *[stand("shared", "b") for _ in range(30)])
    assert Counter(await claimed(alone)) == {"shared/2": 1}
    await rows("delete from tenantry.job_runs returning id")
    assert Counter(await claimed(alone)) == {"shared/1": 2, "shared/2": 2}


async def test_a_freed_place_is_taken_at_once_and_not_at_a_poll(runtime: Runtime, seen: Seen) -> None:
    async with working(runtime, Pace(poll=60, sweep=60, blind_poll=60, grace=1)) as worker:
        await until(lambda: worker.ear.listening)
        await ask_in(runtime, 1, *[stand("narrow", f"n{n}") for n in range(60)])
        await until(lambda: len(seen.names) == 60, within=8)
    assert seen.most["narrow"] <= 2


async def test_limited_and_other_queues_do_not_keep_each_other_from_a_small_worker(runtime: Runtime) -> None:
    await ask_in(runtime, None, *[stand("org_paced", "x") for _ in range(5)])
    await ask_in(runtime, None, *[stand("narrow", "x", priority=5) for _ in range(5)])
    await ask_in(runtime, 3, *[stand("ordered", "x", group=f"g{n}") for n in range(5)])
    worker = Worker(runtime, HANDLERS)
    first = {job.queue for _ in range(8) for job in await worker._claim(1)}
    assert first == {"org_paced", "narrow", "ordered"}


async def test_starts_are_spread_by_the_rate_of_a_queue(runtime: Runtime, rows: Rows) -> None:
    await ask_in(runtime, None, *[stand("paced", f"n{n}") for n in range(10)])
    worker = Worker(runtime, HANDLERS)
    assert len(await claimed(worker)) == 3
    assert 15 < worker._taker.again_at - time.monotonic() <= 20
    await rows("update tenantry.job_rates set full_at = full_at - interval '21 seconds' returning queue")
    assert len(await claimed(worker)) == 1
    # a start counts whatever became of the job
    await rows(EXPIRE)
    await worker._sweep()
    assert await claimed(worker) == []
    await rows("update tenantry.job_rates set full_at = full_at + interval '9 days' returning queue")
    assert await claimed(worker) == []
    assert worker._taker.again_at - time.monotonic() <= 21, "a clock that was set back is no reason to wait for days"


async def test_a_worker_looks_again_when_the_rate_lets_the_next_one_start(runtime: Runtime, seen: Seen) -> None:
    async with working(runtime, Pace(poll=60, sweep=60, blind_poll=60, grace=1)) as worker:
        await until(lambda: worker.ear.listening)
        began = time.monotonic()
        await ask_in(runtime, None, *[stand("brisk", f"n{n}") for n in range(5)])
        await until(lambda: len(seen.names) == 5, within=8)
    assert time.monotonic() - began >= 1.4


async def test_a_rate_for_each_organization_holds_up_nobody_else(runtime: Runtime) -> None:
    for org in (1, 2):
        await ask_in(runtime, org, *[stand("org_paced", "x") for _ in range(9)])
    worker = Worker(runtime, HANDLERS)
    assert Counter(await claimed(worker)) == {"org_paced/1": 2, "org_paced/2": 2}
    await ask_in(runtime, 3, stand("org_paced", "x"))
    assert await claimed(worker) == ["org_paced/3"]


async def test_more_organizations_than_one_claim_looks_at_are_all_served(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenantry.foundation.jobs.limited.LANES", 4)
    for org in range(1, 13):
        await ask_in(runtime, org, *[stand("org_paced", "x") for _ in range(4)])
    assert Counter(await claimed(Worker(runtime, HANDLERS), 5)) == {f"org_paced/{org}": 2 for org in range(1, 13)}


async def test_draining_does_what_the_limits_let_one_after_the_other(runtime: Runtime, seen: Seen) -> None:
    jobs = [stand(queue, f"n{n}", group=f"g{n % 3}") for queue in ("narrow", "ordered") for n in range(12)]
    await ask_in(runtime, 1, *jobs)
    assert await drain_jobs(runtime, HANDLERS) == 24
    assert seen.most["narrow"] == 2


def test_a_queue_that_is_declared_twice_must_have_the_same_limits() -> None:
    def with_queues(*queues: Queue) -> Registry:
        module = ModuleType(__name__)
        for number, queue in enumerate(queues):
            setattr(module, f"job{number}", handles(f"queue_limits.{number}", queue=queue)(_job()))
        return Registry([Domain(name="queue_limits", jobs=module)])

    assert with_queues(ORDERED, Queue("ordered", per_group=1)).queues == {"ordered": ORDERED}
    with pytest.raises(BadDomains, match="the queue ordered is declared twice"):
        with_queues(ORDERED, Queue("ordered", per_group=2))


def _job() -> object:
    async def job(job: Job) -> None: ...

    return job


@pytest.mark.parametrize("wrong", [{"at_once": 0}, {"per_org": -1}, {"name": ""}, {"name": "x" * 101}])
def test_a_limit_that_lets_nothing_run_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="queue"):
        Queue(**{"name": "x"} | wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [(0, 1), (1, 0), (1, -1), (1, 9e9)])
def test_a_rate_of_nothing_is_refused(wrong: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="rate"):
        Rate(*wrong)
