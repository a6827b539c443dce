"""Idling: what a worker that has nothing to do asks, and how it still starts everything in time."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest
from queue_kit import HANDLERS, Rows, ask, working
from queue_trial import Seen

from patience import until
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.ticker import Ticker
from tenantry.foundation.jobs.worker import Pace
from tenantry.foundation.runtime import Runtime

WATCHED = 9.0


async def test_a_worker_and_a_ticker_that_idle_ask_at_most_two_statements_a_second(runtime: Runtime) -> None:
    said: list[str] = []

    def watched(connection: Any) -> Any:
        connection.add_query_logger(lambda record: said.extend(filter(None, record.query.split(";"))))
        return connection

    connect = asyncpg.connect

    async def watching(*args: Any, **rest: Any) -> Any:
        return watched(await connect(*args, **rest))

    with patch.object(asyncpg, "connect", watching):
        ticking = asyncio.create_task(Ticker(runtime, HANDLERS).run())
        async with working(runtime, Pace(grace=0.1)) as worker:
            await until(lambda: worker.ear.listening)
            await until(lambda: " ".join(said).count("look_at_queues") > 1)
            said.clear()
            await asyncio.sleep(WATCHED)  # what is counted is what happens in a time
            counted = list(said)
    ticking.cancel()
    await asyncio.wait([ticking])
    assert "look_at_queues" in " ".join(counted), "it has stopped to look"
    assert len(counted) / WATCHED <= 2, "\n".join(counted)


@pytest.mark.parametrize("delay", [0.7, 1.6])
async def test_a_later_job_starts_when_it_is_due_and_not_at_a_poll(
    runtime: Runtime, rows: Rows, seen: Seen, delay: float
) -> None:
    async with working(runtime, Pace(poll=60, sweep=60, blind_poll=60, grace=0.1)) as worker:
        await until(lambda: worker.ear.listening)
        lates = []
        for number in range(3):
            await ask(runtime, NewJob("queue_trial.nothing", delay=delay))
            due = time.monotonic() + delay
            await until(lambda number=number: len(seen.runs) == number + 1)
            lates.append(time.monotonic() - due)
    # two cores that others use too: the quickest of three tells
    assert -0.2 <= min(lates) <= 0.1, lates


async def test_a_retry_of_ones_own_starts_when_it_is_due(runtime: Runtime, seen: Seen) -> None:
    async with working(runtime, Pace(poll=60, sweep=60, blind_poll=60, grace=0.1)) as worker:
        await until(lambda: worker.ear.listening)
        await ask(runtime, NewJob("queue_trial.snooze"))
        await until(lambda: len(seen.runs) >= 3, within=3)
