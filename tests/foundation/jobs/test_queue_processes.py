"""Worker processes that are killed, frozen and told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from queue_kit import HANDLERS, Rows, ask
from queue_trial import Named, Seen

from patience import until
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import Pace, Worker
from tenantry.foundation.runtime import Runtime

PROCESS = Path(__file__).with_name("queue_process.py")


@contextlib.asynccontextmanager
async def worker_process(dsn: str, *, lease: float = 1.0, grace: float = 1.0) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), dsn, str(lease), str(lease / 4), str(grace), stdout=DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(Worker(runtime, HANDLERS, pace=Pace(sweep=0.3, poll=0.3, grace=1)).run(stop))
    yield
    stop.set()
    await asyncio.wait_for(task, 10)


async def holding(rows: Rows) -> None:
    await until(lambda: rows.count("job_runs"), within=20)


async def test_a_job_of_a_killed_worker_runs_elsewhere_after_its_lease(
    runtime: Runtime, rows: Rows, seen: Seen, dsn: str
) -> None:
    await ask(runtime, NewJob.of("queue_trial.write", Named("once")))
    async with worker_process(dsn) as process:
        await holding(rows)
        process.kill()
        await process.wait()
        seen.gate.set()
        async with working(runtime):
            await until(lambda: rows.count("trial"), within=10)
    assert await rows.count("trial") == 1
    assert [run[2] for run in seen.runs] == [2]
    assert await rows.count("jobs") == await rows.count("job_runs") == 0


async def test_a_worker_frozen_past_its_lease_cannot_finish_what_another_took(
    runtime: Runtime, rows: Rows, seen: Seen, dsn: str
) -> None:
    await ask(runtime, NewJob("queue_trial.wait"))
    async with worker_process(dsn) as process:
        await holding(rows)
        process.send_signal(signal.SIGSTOP)
        async with working(runtime):
            await until(lambda: seen.runs, within=10)
            process.send_signal(signal.SIGCONT)
            process.terminate()
            await asyncio.wait_for(process.wait(), 15)
            ((attempt,),) = await rows("select attempt from tenantry.job_runs")
            assert attempt == 2
            seen.gate.set()
    assert process.returncode == 0
    assert [run[2] for run in seen.runs] == [2]


async def test_a_job_that_takes_its_process_along_ends_as_a_dead_letter_while_others_flow(
    runtime: Runtime, rows: Rows, seen: Seen, dsn: str
) -> None:
    await ask(runtime, NewJob("queue_trial.poison", max_attempts=2))
    for _ in range(2):
        async with worker_process(dsn) as process:
            async with asyncio.timeout(25):
                assert await process.wait() == 9
        await ask(runtime, *[NewJob("queue_trial.nothing") for _ in range(3)])
        await rows("update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second' returning id")
        await Worker(runtime, HANDLERS)._sweep()
    ((kind, attempt, reason),) = await rows("select kind, attempt, reason from tenantry.dead_letters")
    assert (kind, attempt, reason) == ("queue_trial.poison", 2, "its worker was gone at the last attempt")
    async with working(runtime):
        await until(lambda: rows("select 1 where not exists (select from tenantry.jobs)"))


@pytest.mark.slow
async def test_a_killed_workers_job_runs_elsewhere_within_fifteen_seconds_at_the_usual_pace(
    runtime: Runtime, rows: Rows, seen: Seen, dsn: str
) -> None:
    await ask(runtime, NewJob("queue_trial.wait"))
    stop = asyncio.Event()
    async with worker_process(dsn, lease=Pace().lease) as process:
        await holding(rows)
        task = asyncio.create_task(Worker(runtime, HANDLERS, pace=Pace(grace=1)).run(stop))
        process.kill()
        killed = time.monotonic()
        await until(lambda: seen.runs, within=20)
        assert time.monotonic() - killed <= 15
        seen.gate.set()
        stop.set()
        await asyncio.wait_for(task, 10)
    assert [run[2] for run in seen.runs] == [2]


async def test_the_usual_pace_gives_a_dead_workers_job_to_another_within_fifteen_seconds() -> None:
    pace = Pace()
    # the lease as it was when the worker died, the longest wait for a look, and a second for the rest
    assert pace.lease + 1.25 * max(pace.poll, pace.sweep, pace.blind_poll) + 1 <= 15
    # two heartbeats in a row may fail, and a run is first renewed before its first lease is half over
    assert pace.lease >= 2.6 * pace.heartbeat + pace.youth


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_told_to_stop_hands_back_its_jobs_and_exits_with_zero(
    runtime: Runtime, rows: Rows, seen: Seen, dsn: str, number: signal.Signals
) -> None:
    await ask(runtime, *[NewJob("queue_trial.wait") for _ in range(3)])
    async with worker_process(dsn, lease=60, grace=0.5) as process:
        await until(lambda: rows("select 1 from tenantry.job_runs offset 2"), within=20)
        told = time.monotonic()
        os.kill(process.pid, number)
        seen.gate.set()
        async with working(runtime):
            await until(lambda: len(seen.runs) == 3, within=5)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert time.monotonic() - told < 10
    assert {run[2] for run in seen.runs} == {2}
