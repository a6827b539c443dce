"""A snapshot held open: what a forgotten transaction somewhere does to a queue that is busy all the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bench.jobs.serving import Serving, anew, asking
from bench.product.house import CHUNK, ask
from bench.report import Goal, Outcome
from bench.stage import Stage
from bench.subject import Tenantry
from tenantry.foundation.runtime import Runtime

WARM, HELD, HELD_QUICK, WINDOW, WINDOW_QUICK = 3.0, 60.0, 6.0, 10.0, 2.0
BACKLOG = 20_000
"""Jobs that wait at any moment, so that the worker never does."""
Samples = list[tuple[float, int]]


def held(stage: Stage, outcome: Outcome, target: Tenantry) -> None:
    """The rate of the last seconds under a held snapshot, against the rate just before it was taken."""
    anew(stage, target)
    window, hold = (WINDOW_QUICK, HELD_QUICK) if stage.options.quick else (WINDOW, HELD)
    asking(stage, target, lambda runtime: ask(runtime, BACKLOG))
    with Serving(stage, target) as serving:
        clean, last, fewest = asking(stage, target, lambda runtime: fed(runtime, serving, window, hold))
    share = last / max(clean, 1e-9)
    outcome.document["snapshot"] = {"clean": clean, "held": last, "held_s": hold, "share": share, "fewest": fewest}
    outcome.tables.append(
        f"  asked for and drained: {clean:,.0f} jobs/s, {last:,.0f} at the end of {hold:g} s with a snapshot held"
    )
    if fewest < CHUNK:
        outcome.tables.append("  careful: the worker waited for jobs, so these are the rates of asking")
    outcome.goals.append(Goal("at least 0.5 of the clean rate with a snapshot held", share, share >= 0.5))


async def fed(runtime: Runtime, serving: Serving, window: float, hold: float) -> tuple[float, float, int]:
    """Keep jobs coming, without a snapshot and then with one; the rates at their ends, and the fewest that waited."""
    feed = Feed(runtime, serving)
    clean = await feed.keep(WARM + window)
    async with snapshot(runtime.database.url):
        pinned = await feed.keep(hold)
    return rate(clean, window), rate(pinned, window), feed.fewest


class Feed:
    """Asks for jobs as fast as they are done."""

    def __init__(self, runtime: Runtime, serving: Serving) -> None:
        self._runtime, self._serving, self._asked = runtime, serving, BACKLOG
        self.fewest = BACKLOG

    async def keep(self, seconds: float) -> Samples:
        """Go on for so long; what was done by when."""
        end, samples = time.monotonic() + seconds, Samples()
        while time.monotonic() < end:
            found = self._serving.read()
            samples.append((found["at"], found["done"]))
            waiting = self._asked - found["done"]
            self.fewest = min(self.fewest, waiting)
            if waiting < BACKLOG:
                await ask(self._runtime, 2 * CHUNK)
                self._asked += 2 * CHUNK
            else:
                await asyncio.sleep(0.05)
        return samples


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[None]:
    """A transaction that has looked once and then does nothing, as a report or a forgotten shell would."""
    connection: Any = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("begin isolation level repeatable read; select count(*) from pg_class")
        yield
        await connection.execute("rollback")
    finally:
        await connection.close()


def rate(samples: Samples, window: float) -> float:
    """Jobs a second over the last seconds."""
    last_at, last = samples[-1]
    first_at, first = next(one for one in samples if one[0] >= last_at - window)
    return (last - first) / max(last_at - first_at, 1e-9)
