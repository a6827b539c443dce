"""Cancelling, putting off and pausing: jobs that shall not run, or not now."""

from __future__ import annotations

import time
from unittest.mock import patch

import pytest
from queue_kit import HANDLERS, Rows, ask, ask_in, stand, working
from queue_trial import Named, Seen

from patience import until
from tenantry.foundation.jobs.cancelling import cancel
from tenantry.foundation.jobs.ear import Ear
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.lease import QueueWork
from tenantry.foundation.jobs.queues import pause, queues, resume
from tenantry.foundation.jobs.run import Job, LeaseLost
from tenantry.foundation.jobs.worker import Pace, Worker, drain_jobs
from tenantry.foundation.runtime import Runtime


async def cancelled(runtime: Runtime, job: object) -> str:
    async with QueueWork(runtime, reason="a test") as work:
        return await cancel(work, job)  # type: ignore[arg-type]


async def test_a_job_that_waits_is_removed_and_one_that_is_gone_is_said_to_be(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    (job,) = await ask_in(runtime, 1, NewJob("queue_trial.nothing"))
    assert await cancelled(runtime, job) == "removed"
    assert await cancelled(runtime, job) == "gone"
    assert await drain_jobs(runtime, HANDLERS) == 0
    assert not seen.runs


@pytest.mark.parametrize("kind", ["queue_trial.wait", "queue_trial.stubborn", "queue_trial.write"])
@pytest.mark.parametrize("hears", [True, False], ids=["notified", "unnotified"])
async def test_a_job_that_runs_is_stopped_within_three_seconds_and_leaves_nothing(
    runtime: Runtime, rows: Rows, seen: Seen, kind: str, hears: bool
) -> None:
    # connected, but deaf for what others ring
    rung = Ear._rung if hears else lambda *_: None
    with patch.object(Ear, "_rung", rung):
        async with working(runtime, Pace(grace=0.1, heartbeat=60, lease=200)) as worker:
            (job,) = await ask_in(runtime, 1, NewJob.of(kind, Named("late")))
            worker._call.set()
            await until(lambda: seen.runs)
            asked = time.monotonic()
            assert await cancelled(runtime, job) == "asked"
            await until(lambda: not worker._crew.held(), within=5)
            await until(lambda: rows("select 1 where not exists (select from tenantry.job_runs)"))
            assert time.monotonic() - asked < (1.5 if hears else 3.5)
    assert [await rows.count(table) for table in ("jobs", "job_runs", "dead_letters", "trial")] == [0, 0, 0, 0]
    assert len(seen.runs) == 1


async def test_a_completion_after_the_cancellation_is_refused_and_before_it_stands(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    ids = await ask_in(runtime, 1, *[NewJob("queue_trial.nothing") for _ in range(2)])
    worker = Worker(runtime, HANDLERS)
    late, early = [Job(runtime, claimed, worker.id) for claimed in await worker._claim(2)]
    assert {late.id, early.id} == set(ids)
    with pytest.raises(LeaseLost):  # noqa: PT012  (a transaction is a block)
        async with late.work(reason="a test") as work:
            await work.connection.execute("insert into tenantry.trial values ('late')")
            assert await cancelled(runtime, late.id) == "asked"
    async with early.work(reason="a test") as work:
        await work.connection.execute("insert into tenantry.trial values ('early')")
    assert await cancelled(runtime, early.id) == "gone"
    assert [row[0] for row in await rows("select name from tenantry.trial")] == ["early"]


@pytest.mark.parametrize("way", ["fails", "dies", "is handed back", "gives up"])
async def test_a_cancelled_job_does_not_come_back_whatever_becomes_of_its_run(
    runtime: Runtime, rows: Rows, seen: Seen, way: str
) -> None:
    kind = {"fails": "queue_trial.fail", "gives up": "queue_trial.hopeless"}.get(way, "queue_trial.nothing")
    (job,) = await ask_in(runtime, 1, NewJob(kind))
    worker = Worker(runtime, HANDLERS)
    (claimed,) = await worker._claim(1)
    assert await cancelled(runtime, job) == "asked"
    if way == "dies":
        await rows("update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second' returning id")
        await worker._sweep()
    elif way == "is handed back":
        await worker._leave()
    else:
        worker._crew.start(claimed)
        await worker._crew.finish(within=5)
        await worker._ledger.write()
    assert [await rows.count(table) for table in ("jobs", "job_runs", "dead_letters")] == [0, 0, 0]


async def test_a_snoozed_job_comes_again_and_no_attempt_is_counted(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask(runtime, NewJob("queue_trial.snooze", max_attempts=1))
    async with working(runtime, Pace(poll=60, sweep=60, blind_poll=60, grace=1)):
        await until(lambda: len(seen.runs) == 4)
    ((spared, left),) = await rows("select spared, max_attempts - attempt from tenantry.jobs")
    assert spared == len(seen.runs)
    assert left == 1


async def test_the_wait_after_a_failure_does_not_grow_with_what_was_put_off(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, NewJob("queue_trial.fail"))
    await rows("update tenantry.jobs set attempt = 30, spared = 30, max_attempts = 55 returning id")
    await drain_jobs(runtime, HANDLERS)
    ((wait,),) = await rows("select extract(epoch from run_at - tenantry.now())::float8 from tenantry.jobs")
    assert wait <= 2


async def test_a_paused_queue_is_claimed_by_nobody_until_it_is_resumed(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    async with working(runtime, Pace(poll=60, sweep=60, blind_poll=60, grace=1)) as worker:
        await until(lambda: worker.ear.listening)
        async with QueueWork(runtime, reason="a test") as work:
            for queue in ("slow", "ordered"):
                await pause(work, queue)
                await pause(work, queue)
        await ask_in(runtime, 1, NewJob("queue_trial.nothing", queue="slow"), stand("ordered", "1", group="g"))
        await ask(runtime, *[NewJob("queue_trial.nothing") for _ in range(3)])
        await until(lambda: len(seen.runs) == 3)
        assert await worker._claim(10) == []
        async with QueueWork(runtime, reason="a test") as work:
            assert [await resume(work, queue) for queue in ("slow", "slow", "ordered")] == [True, False, True]
        await until(lambda: len(seen.runs) == 5, within=3)


async def test_queues_are_told_with_their_depth_counted_up_to_a_bound(
    runtime: Runtime, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_in(runtime, 1, *[NewJob("queue_trial.nothing", queue="deep") for _ in range(7)])
    await ask_in(runtime, 1, *[stand("ordered", f"{n}", group="g") for n in range(3)])
    await ask_in(runtime, 1, NewJob("queue_trial.nothing", queue="tomorrow", delay=9e4))
    await Worker(runtime, HANDLERS)._claim(5)
    monkeypatch.setattr("tenantry.foundation.jobs.queues.COUNTED", 5)
    async with QueueWork(runtime, reason="a test") as work:
        await pause(work, "deep")
        with pytest.raises(ValueError, match="1 to 100"):
            await pause(work, "")
        found = {depth.name: depth for depth in await queues(work, names=("empty",))}
    shown = {
        name: (one.due, one.later, one.held, one.running)
        for name, one in found.items()
        if any((one.due, one.later, one.held, one.running, name == "empty"))
    }
    assert shown == {"deep": (5, 0, 0, 0), "ordered": (0, 0, 2, 1), "tomorrow": (0, 1, 0, 0), "empty": (0, 0, 0, 0)}
    assert found["deep"].paused_at is not None
    assert found["ordered"].paused_at is None
