"""Leases: who holds a job, who may finish it, and what happens when a worker goes."""

from __future__ import annotations

import asyncio
import time
from unittest.mock import patch
from uuid import UUID

import pytest
from queue_kit import HANDLERS, Rows, ask, cut_every_connection, working
from queue_trial import Named, Seen

from patience import until
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.lease import Claimed
from tenantry.foundation.jobs.run import Job, LeaseLost
from tenantry.foundation.jobs.worker import Pace, Worker
from tenantry.foundation.runtime import Runtime

EXPIRE = "update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second' returning id"


async def test_a_completion_after_the_lease_was_lost_is_refused_with_all_its_rows(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    await ask(runtime, NewJob.of("queue_trial.nothing", Named("late")))
    first, second = Worker(runtime, HANDLERS), Worker(runtime, HANDLERS)
    (claimed,) = await first._claim(1)
    job = Job(runtime, claimed, first.id)
    with pytest.raises(LeaseLost):  # noqa: PT012  (a transaction is a block)
        async with job.work(reason="a test") as work:
            await work.connection.execute("insert into tenantry.trial values ('late')")
            work.enqueue(NewJob("queue_trial.nothing"))
            await rows(EXPIRE)
            await second._sweep()
            (again,) = await second._claim(1)
    assert (again.id, again.attempt) == (claimed.id, 2)
    assert await rows.count("trial") == 0
    assert await rows.count("jobs") == 0
    async with Job(runtime, again, second.id).work(reason="a test") as work:
        await work.connection.execute("insert into tenantry.trial values ('in time')")
    assert [row[0] for row in await rows("select name from tenantry.trial")] == ["in time"]
    assert await rows.count("job_runs") == 0


async def test_a_late_acknowledgement_or_failure_touches_nothing_of_the_new_holder(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    for kind in ("queue_trial.nothing", "queue_trial.fail", "queue_trial.hopeless"):
        await ask(runtime, NewJob(kind))
        first, second = Worker(runtime, HANDLERS), Worker(runtime, HANDLERS)
        (claimed,) = await first._claim(1)
        await rows(EXPIRE)
        await second._sweep()
        (again,) = await second._claim(1)
        first._crew.start(claimed)
        await first._crew.finish(within=5)
        await first._ledger.write()
        held = await rows("select worker, attempt from tenantry.job_runs where id = $1", claimed.id)
        assert [tuple(row) for row in held] == [(second.id, again.attempt)]
        assert await rows.count("jobs") == await rows.count("dead_letters") == 0
        await rows("delete from tenantry.job_runs returning id")


async def test_a_handler_learns_that_its_lease_is_gone(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask(runtime, NewJob("queue_trial.wait"))
    async with working(runtime, Pace(heartbeat=0.05, grace=0.1)) as worker:
        await until(lambda: seen.runs)
        await rows("delete from tenantry.job_runs returning id")
        await until(lambda: not worker._crew.held(), within=3)


async def test_a_lease_is_renewed_while_the_handler_runs(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask(runtime, NewJob("queue_trial.wait"))
    async with working(runtime, Pace(lease=0.6, heartbeat=0.15, sweep=0.1)):
        await until(lambda: seen.runs)
        ((first,),) = await rows("select leased_until from tenantry.job_runs")

        async def renewed_past_the_first_lease() -> bool:
            ((now, until_then),) = await rows("select tenantry.tick(), leased_until from tenantry.job_runs")
            return now > first and until_then > now

        await until(renewed_past_the_first_lease)
        seen.gate.set()
        await until(lambda: rows("select 1 where not exists (select from tenantry.job_runs)"))
    assert len(seen.runs) == 1


async def test_runs_whose_worker_is_gone_go_to_another_and_in_the_end_to_the_dead_letters(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    await ask(runtime, NewJob("queue_trial.nothing", max_attempts=2))
    for _ in range(2):
        lost = Worker(runtime, HANDLERS)
        assert len(await lost._claim(5)) == 1
        await rows(EXPIRE)
        await lost._sweep()
    ((reason, attempt),) = await rows("select reason, attempt from tenantry.dead_letters")
    assert (reason, attempt) == ("its worker was gone at the last attempt", 2)
    assert await rows.count("jobs") == 0


async def test_a_lease_that_stands_is_not_taken(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, NewJob("queue_trial.nothing"))
    holder = Worker(runtime, HANDLERS)
    await holder._claim(1)
    await Worker(runtime, HANDLERS)._sweep()
    assert await rows.count("job_runs") == 1


async def test_a_worker_told_to_stop_hands_back_what_it_could_not_finish_at_once(
    runtime: Runtime, another: Runtime, rows: Rows, seen: Seen
) -> None:
    await ask(runtime, *[NewJob("queue_trial.wait", max_attempts=1) for _ in range(4)])
    async with working(runtime, Pace(grace=0.2, parting=1.0), concurrency=2):
        await until(lambda: len(seen.runs) == 2)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 3
    assert await rows.count("job_runs") == 0
    # two were never started and keep their one attempt, two have theirs given back
    limits = await rows("select max_attempts - attempt from tenantry.jobs")
    assert [row[0] for row in limits] == [1, 1, 1, 1]
    seen.gate.set()
    async with working(another):
        await until(lambda: len(seen.runs) == 6, within=5)
    assert {run[2] for run in seen.runs} == {1, 2}
    assert await rows.count("dead_letters") == 0


async def test_a_worker_told_to_stop_lets_running_jobs_finish(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask(runtime, NewJob.of("queue_trial.write", Named("finished")))
    async with working(runtime, Pace(grace=5)):
        await until(lambda: seen.runs)
        asyncio.get_running_loop().call_later(0.1, seen.gate.set)
    assert await rows.count("trial") == 1
    assert await rows.count("jobs") == await rows.count("job_runs") == 0


async def test_a_worker_told_to_stop_claims_nothing_more(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask(runtime, NewJob("queue_trial.wait"))
    async with working(runtime, Pace(grace=0.5)):
        await until(lambda: seen.runs)
        asyncio.get_running_loop().create_task(ask(runtime, NewJob("queue_trial.nothing")))
        await asyncio.sleep(0)
    assert [run[0] for run in seen.runs].count("queue_trial.wait") == 1
    await until(lambda: rows.count("jobs"))


async def test_a_worker_outlives_the_loss_of_all_its_connections(
    runtime: Runtime, another: Runtime, seen: Seen, dsn: str
) -> None:
    async with working(runtime) as worker:
        await until(lambda: worker.ear.listening)
        await cut_every_connection(dsn)
        await ask(another, NewJob("queue_trial.nothing"))
        await until(lambda: seen.runs, within=5)
        await until(lambda: worker.ear.listening, within=10)


async def test_a_claim_whose_answer_was_lost_is_handed_back_within_seconds(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    await ask(runtime, NewJob("queue_trial.wait"))
    async with working(runtime, Pace(grace=1)) as worker:
        await until(lambda: seen.runs)
        claim_from = worker._taker._claim_from

        async def cut_off(start: UUID, room: int) -> list[Claimed]:
            await claim_from(start, room)
            raise DatabaseUnavailable

        with patch.object(worker._taker, "_claim_from", cut_off):
            await ask(runtime, NewJob("queue_trial.nothing"))
            await until(lambda: rows("select 1 from tenantry.job_runs where kind = 'queue_trial.nothing'"))
        await until(lambda: len(seen.runs) == 2, within=5)
        seen.gate.set()
    assert sorted(run[0] for run in seen.runs) == ["queue_trial.nothing", "queue_trial.wait"]
    assert await rows.count("job_runs") == await rows.count("jobs") == 0


async def test_a_worker_that_takes_a_job_again_keeps_the_second_lease_when_the_first_attempt_ends(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    pace = Pace(lease=4.0, heartbeat=1.0, poll=0.5, grace=0.1, parting=1.0)
    await ask(runtime, NewJob("queue_trial.twice"))
    async with working(runtime, pace) as worker:
        await until(lambda: seen.runs)
        await rows(EXPIRE)
        await Worker(runtime, HANDLERS)._sweep()
        await until(lambda: seen.names == ["1 ended"])
        assert [attempt for _, _, attempt in seen.runs] == [1, 2]
        assert list(worker._crew.held()) == [(seen.runs[1][1], 2)]
        [taken] = await rows("select leased_until from tenantry.job_runs")
        await until(lambda: rows("select from tenantry.job_runs where leased_until > $1", taken[0]))
        seen.gate.set()
        await until(lambda: len(seen.names) == 2)
    assert await rows.count("jobs") == await rows.count("job_runs") == 0
