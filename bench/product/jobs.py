"""Handlers that do nothing, that note when they begin, or that keep a core busy for a millisecond."""

from __future__ import annotations

import time

import msgspec

from bench.product.events import ThingMade
from bench.tally import Tally
from tenantry.foundation.jobs.handler import Job, handles, on

NOOP, STAMP, BUSY = "bench.noop", "bench.stamp", "bench.busy"
TALLY = Tally()
BEGAN: dict[int, float] = {}
"""When the job of each number began, by the clock that every process of the machine shares."""


class Numbered(msgspec.Struct, frozen=True):
    """A job among others."""

    number: int


@handles(NOOP)
async def noop(job: Job) -> None:
    """Nothing."""
    TALLY.add()


@handles(STAMP)
async def stamp(job: Job, one: Numbered) -> None:
    """Note when this began."""
    BEGAN[one.number] = time.monotonic()


@handles(BUSY)
async def busy(job: Job) -> None:
    """Keep the core busy for a millisecond."""
    end = time.monotonic() + 0.001
    while time.monotonic() < end:
        pass
    TALLY.add()


@on(ThingMade)
async def first_listener(job: Job, made: ThingMade) -> None:
    """One of the two that an event's job is written for."""


@on(ThingMade)
async def second_listener(job: Job, made: ThingMade) -> None:
    """The other."""
