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
from queue_kit import HANDLERS, Rows, ask, until
from queue_trial import Named, Seen

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
    task = asyncio.create_task(Worker(runtime, HANDLERS, pace=Pace(sweep=0.3, grace=1)).run(stop))
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
