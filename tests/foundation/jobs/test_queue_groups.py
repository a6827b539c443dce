"""Groups: jobs that go in order or share a place, also when heads are late, workers race and thousands wait behind."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from uuid import UUID

from queue_kit import HANDLERS, Rows, ask_in, stand, statement, working
from queue_trial import Named, Seen

from patience import until
from tenantry.foundation.jobs.cancelling import cancel
from tenantry.foundation.jobs.ending import Done, finish
from tenantry.foundation.jobs.groups import let_go
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.lease import QueueWork
from tenantry.foundation.jobs.limited import BUSY, FIRST_LANE, claim_limited
from tenantry.foundation.jobs.worker import Pace, Worker, drain_jobs
from tenantry.foundation.runtime import Runtime

# so rarely that whatever waits for a poll fails its test
NO_POLL = Pace(poll=60, sweep=60, blind_poll=60, grace=1)
FLOOD = """
    set local role tenantry_system;
    insert into tenantry.jobs (id, kind, queue, org_id, group_key, args)
    select gen_random_uuid(), 'queue_trial.{queue}', '{queue}', '{org}', 'flood', '{{"name": "f"}}'
      from generate_series(1, {number})
"""


async def settled(worker: Worker) -> list[str]:
    """What a worker takes when it goes on until there is nothing for it, by group and name."""
    taken = await worker._claim(20)
    while worker._taker.more:
        taken += await worker._claim(20)
    return [f"{job.group_key}:{job.args}" for job in taken]


async def test_jobs_of_a_group_run_one_after_the_other_in_the_order_asked_for(
    runtime: Runtime, another: Runtime, seen: Seen
) -> None:
    async with working(runtime, NO_POLL) as first, working(another, NO_POLL) as second:
        await until(lambda: first.ear.listening and second.ear.listening)
        for round_ in range(8):
            jobs = [stand("ordered", f"{group}-{round_}{n}", group=group) for n in range(5) for group in "abc"]
            await ask_in(runtime, 1 + round_ % 2, *jobs)
        await until(lambda: len(seen.names) == 120, within=20)
    order: dict[str, list[str]] = defaultdict(list)
    for name in seen.names:
        order[name[0] + str(int(name[2]) % 2)].append(name)
    assert all(names == sorted(names) for names in order.values())
    assert len(order) == 6
    assert {most for place, most in seen.most.items() if place.count("/") == 2} == {1}


async def test_a_head_that_is_tried_again_holds_those_behind_it(runtime: Runtime, seen: Seen) -> None:
    await ask_in(runtime, 1, *[stand("ordered", name, group="g") for name in ("fails-1", "2", "3")])
    await ask_in(runtime, 1, stand("ordered", "other", group="h"))
    assert await drain_jobs(runtime, HANDLERS) == 2
    assert seen.names == ["other"]
    async with working(runtime):
        await until(lambda: len(seen.names) == 4)
    assert seen.names == ["other", "fails-1", "2", "3"]


async def test_a_head_that_is_asked_for_later_holds_those_behind_it_until_it_is_cancelled(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    (head, *_) = await ask_in(runtime, 1, stand("ordered", "1", group="g", delay=900), stand("ordered", "2", group="g"))
    assert await drain_jobs(runtime, HANDLERS) == 0
    ((held,),) = await rows("select count(*) from tenantry.jobs where held")
    assert held == 1
    async with QueueWork(runtime, reason="a test") as work:
        assert await cancel(work, head) == "removed"
    assert await drain_jobs(runtime, HANDLERS) == 1
    assert seen.names == ["2"]


async def test_a_group_of_thousands_is_set_aside_once_and_not_looked_at_again(
    runtime: Runtime, rows: Rows, dsn: str
) -> None:
    await statement(dsn, FLOOD.format(queue="ordered", org=UUID(int=1), number=5000))
    await ask_in(runtime, 1, stand("ordered", "quiet", group="quiet"))
    await ask_in(runtime, 2, stand("ordered", "other", group="flood"))
    worker = Worker(runtime, HANDLERS)
    first = await worker._claim(20)
    assert {job.lane.int for job in first} == {1, 2}
    await settled(worker)
    ((due, held),) = await rows(
        "select count(*) filter (where due), count(*) filter (where held) from tenantry.jobs where queue = 'ordered'"
    )
    assert (due, held) == (0, 4999)
    # its end lets exactly one more be seen
    flood = next(job for job in first if job.args == '{"name": "f"}')
    worker._ledger.add(Done(flood.id, flood.attempt, flood.group))
    await worker._ledger.write()
    ((due,),) = await rows("select count(*) from tenantry.jobs where due")
    assert due == 1
    assert len(await worker._claim(20)) == 1


async def test_as_many_of_a_group_run_as_its_queue_lets(runtime: Runtime, another: Runtime, seen: Seen) -> None:
    await ask_in(runtime, 1, *[stand("paired", f"waits-{n}", group="g") for n in range(6)])
    await ask_in(runtime, 1, *[stand("paired", f"free-{n}") for n in range(3)])
    async with working(runtime, NO_POLL), working(another, NO_POLL):
        await until(lambda: seen.inside["paired"] == 2 and len(seen.names) == 3)
        seen.gate.set()
        await until(lambda: len(seen.names) == 9)
    assert seen.most[f"paired/{UUID(int=1)}/g"] == 2


async def test_a_failure_in_a_wide_group_gives_its_place_to_the_next(runtime: Runtime, seen: Seen) -> None:
    await ask_in(runtime, 1, *[stand("paired", f"fails-{n}", group="g") for n in range(2)])
    await ask_in(runtime, 1, *[stand("paired", f"{n}", group="g") for n in range(4)])
    async with working(runtime, NO_POLL):
        await until(lambda: len(seen.names) == 6)
    assert seen.names[:4] == ["0", "1", "2", "3"]


async def test_the_rate_of_a_group_puts_its_next_job_off_and_keeps_the_others_in_line(
    runtime: Runtime, rows: Rows
) -> None:
    await ask_in(runtime, 1, *[stand("group_paced", f"{n}", group="g") for n in range(6)])
    await ask_in(runtime, 1, stand("group_paced", "other", group="h"))
    worker = Worker(runtime, HANDLERS)
    taken = await settled(worker)
    assert sorted(taken) == ['g:{"name": "0"}', 'g:{"name": "1"}', 'h:{"name": "other"}']
    later = await rows(
        "select args ->> 'name', extract(epoch from run_at - tenantry.now())::int from tenantry.jobs where not held"
    )
    assert [row[0] for row in later] == ["2"]
    assert 20 < later[0][1] <= 30
    await rows("update tenantry.jobs set run_at = tenantry.now() where not held returning id")
    await rows("update tenantry.job_rates set full_at = full_at - interval '31 seconds' returning queue")
    await worker._look_for_due()
    assert await settled(worker) == ['g:{"name": "2"}']


async def test_an_end_that_meets_a_claim_loses_nobody(runtime: Runtime, another: Runtime, rows: Rows) -> None:
    await ask_in(runtime, 1, *[stand("ordered", f"{n}", group="g") for n in range(2)])
    worker = Worker(runtime, HANDLERS)
    (head,) = await worker._claim(1)
    queue = worker._taker._limited["ordered"]
    await ask_in(runtime, 1, stand("ordered", "2", group="g"))
    async with QueueWork(another, reason="a test") as claiming:
        # the claim has seen the head run and sets the last one aside; the head ends meanwhile
        await claim_limited(claiming, queue, start=FIRST_LANE, room=5, lease=9.0, worker=worker.id)
        worker._ledger.add(Done(head.id, head.attempt, head.group))
        ending = asyncio.create_task(worker._ledger.write())
        await until(lambda: rows("select 1 from pg_locks where not granted"))
        assert not ending.done()
    await ending
    found = await rows("select args ->> 'name', due, held from tenantry.jobs order by seq")
    assert [tuple(row) for row in found] == [("1", True, False), ("2", False, True)]


async def test_a_claim_that_meets_an_end_sets_nobody_aside(runtime: Runtime, another: Runtime, rows: Rows) -> None:
    await ask_in(runtime, 1, stand("ordered", "0", group="g"))
    worker = Worker(runtime, HANDLERS)
    (head,) = await worker._claim(1)
    await ask_in(runtime, 1, stand("ordered", "1", group="g"))
    queue = worker._taker._limited["ordered"]
    async with QueueWork(runtime, reason="a test") as ending:
        await finish(ending, ids=[head.id], attempts=[head.attempt], worker=worker.id)
        assert not await let_go(ending, [head.group])
        async with QueueWork(another, reason="a test") as claiming:
            catch = await claim_limited(claiming, queue, start=FIRST_LANE, room=5, lease=9.0, worker=worker.id)
    assert (catch.jobs, catch.again_in) == ([], BUSY)
    assert [tuple(row) for row in await rows("select due, held from tenantry.jobs")] == [(True, False)]


async def test_a_job_that_completes_in_its_own_work_lets_the_next_one_go(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    seen.gate.set()
    jobs = [NewJob.of("queue_trial.write", Named(f"{n}"), queue="ordered", group="g") for n in range(4)]
    await ask_in(runtime, 1, *jobs)
    async with working(runtime, NO_POLL):
        await until(lambda: rows("select 1 from tenantry.trial offset 3"))
    assert [row[0] for row in await rows("select name from tenantry.trial")] == ["0", "1", "2", "3"]


async def test_a_forgotten_group_goes_on_within_a_poll(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask_in(runtime, 1, *[stand("ordered", f"{n}", group="g") for n in range(3)])
    await rows("update tenantry.jobs set held = true, due = false returning id")
    async with working(runtime):
        await until(lambda: len(seen.names) == 3, within=6)


async def test_a_job_of_a_group_comes_back_to_its_place(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask_in(runtime, 1, *[stand("ordered", f"{n}", group="g") for n in range(3)])
    lost = Worker(runtime, HANDLERS)
    assert len(await lost._claim(5)) == 1
    await rows("update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second' returning id")
    await lost._sweep()
    assert await drain_jobs(runtime, HANDLERS) == 3
    assert seen.names == ["0", "1", "2"]
