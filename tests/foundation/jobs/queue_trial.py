"""Jobs of a domain that exists for the tests of the queue alone."""

from __future__ import annotations

import asyncio
from typing import ClassVar
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.events.event import Event
from tenantry.foundation.jobs.handler import GiveUp, Job, Retry, every, handles, on
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.work import Work


class Seen:
    """What ran, and the gates that hold it."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, UUID, int]] = []
        self.names: list[str] = []
        self.gate = asyncio.Event()

    def note(self, job: Job) -> None:
        self.runs.append((job.kind, job.id, job.attempt))


seen = Seen()


class Planted(Event):
    """A tree was planted."""

    kind: ClassVar[str] = "queue_trial.planted"
    version: ClassVar[int] = 3
    name: str


class Named(msgspec.Struct):
    name: str


@action(requires=ANYONE, records=Planted)
async def plant(work: Work, *, name: str) -> None:
    """Plant a tree."""
    work.record(Planted(name=name))


@on(Planted, max_attempts=2)
async def water(job: Job, event: Planted) -> None:
    """Water it."""
    seen.note(job)
    seen.names.append(event.name)


@on(Planted, queue="slow")
async def prune(job: Job, event: Planted) -> None:
    """Prune it."""
    seen.note(job)


@handles("queue_trial.greet")
async def greet(job: Job, given: Named) -> None:
    """Greet somebody."""
    seen.note(job)
    seen.names.append(given.name)


@handles("queue_trial.nothing")
async def nothing(job: Job) -> None:
    """Do nothing."""
    seen.note(job)


@handles("queue_trial.wait")
async def wait(job: Job) -> None:
    """Stand at the gate."""
    seen.note(job)
    await seen.gate.wait()


@handles("queue_trial.hang", timeout=0.05, max_attempts=1)
async def hang(job: Job) -> None:
    """Never end by itself."""
    seen.note(job)
    await asyncio.Event().wait()


@handles("queue_trial.write")
async def write(job: Job, given: Named) -> None:
    """Leave a row, after standing at the gate."""
    seen.note(job)
    async with job.work(reason="a test") as work:
        await work.connection.execute("insert into tenantry.trial values ($1)", given.name)
        await seen.gate.wait()


@handles("queue_trial.fail")
async def fail(job: Job) -> None:
    """Fail with something private in the text."""
    seen.note(job)
    raise ValueError("the secret is hunter2")


@handles("queue_trial.leave")
async def leave(job: Job) -> None:
    """Try to end the process."""
    seen.note(job)
    raise SystemExit(3)


@handles("queue_trial.later")
async def later(job: Job) -> None:
    """Ask for another attempt."""
    seen.note(job)
    raise Retry(after=500)


@handles("queue_trial.hopeless")
async def hopeless(job: Job) -> None:
    """Give up."""
    seen.note(job)
    raise GiveUp("there is no such \0 tree \ud800")


@handles("queue_trial.chain")
async def chain(job: Job, given: Named) -> None:
    """Plant another tree in the job's own commit."""
    async with job.work(reason="a test") as work:
        await plant(work, name=given.name)


@every(minutes=10)
async def rake(job: Job) -> None:
    """Rake the leaves."""
    seen.note(job)
