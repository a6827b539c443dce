"""Rounds of what runs in this process or is a program of its own: each is measured once a round, another first each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import quantiles
from time import monotonic, process_time
from traceback import format_exception
from typing import Any

import uvloop
from asyncpg.exceptions import PostgresError

from bench.cores import Cores, pinned
from bench.database import Postgres
from bench.load import Measured
from bench.processes import BenchFailed
from bench.report import Rounds
from tenantry.foundation.problems import Problem
from tenantry.foundation.stillness import keep_still

Step = Callable[[], Awaitable[None]]
Whole = Callable[[list[float]], Awaitable[int]]


def take_turns(measures: Mapping[str, Callable[[], Measured]], rounds: int) -> Rounds:
    """Measure each once a round, after a turn that does not count."""
    names = list(measures)
    for name in names:
        measures[name]()
    found: Rounds = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(measures[name]())
    return found


@contextmanager
def telling() -> Iterator[None]:
    """What goes wrong in this process fails its bench and keeps no other from running."""
    try:
        yield
    except (ExceptionGroup, PostgresError, Problem) as error:
        raise BenchFailed("".join(format_exception(error)[-20:])) from error


class Hall:
    """An event loop on the server's core, where what is measured runs in this very process."""

    def __init__(self, postgres: Postgres, cores: Cores) -> None:
        self.postgres, self.cores = postgres, cores
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        # as the processes that stay do
        keep_still()

    def run(self, coroutine: Any) -> Any:
        """What a coroutine gives, on that core."""
        with pinned(self.cores.server), telling():
            return self.runner.run(coroutine)

    def measure(self, steps: list[Step], seconds: float, *, each: int = 1) -> Measured:
        """Take each step over and over for so long, all of them side by side; a step counts for `each`."""
        return self.weigh(lambda took: repeated(steps, seconds, each, took))

    def weigh(self, whole: Whole) -> Measured:
        """What something takes that says how much it did, and may note how long each step was."""
        found: Measured = self.run(self._weighed(whole))
        return found

    async def _weighed(self, whole: Whole) -> Measured:
        took: list[float] = []
        own, theirs, begin = process_time(), self.postgres.cpu_seconds(), monotonic()
        done = max(1, await whole(took))
        passed = monotonic() - begin
        own, theirs = process_time() - own, self.postgres.cpu_seconds() - theirs
        return Measured(
            answers=done,
            seconds=passed,
            server_us=own / done * 1e6,
            postgres_us=theirs / done * 1e6,
            latency_ms=percentiles(took),
        )


async def repeated(steps: list[Step], seconds: float, each: int, took: list[float]) -> int:
    """Each step over and over, side by side; how much that was."""
    end = monotonic() + seconds
    async with asyncio.timeout(seconds + 60), asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(_repeat(step, end, took))
    return len(took) * each


async def _repeat(step: Step, end: float, took: list[float]) -> None:
    while (begin := monotonic()) < end:
        await step()
        took.append(monotonic() - begin)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """The middle and the far end of what was waited, in milliseconds; nothing of nothing."""
    if not seconds:
        return {}
    cuts = quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
    return {"p50": cuts[49] * 1e3, "p99": cuts[98] * 1e3}
