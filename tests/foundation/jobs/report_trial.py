"""Jobs that somebody waits for, of a domain that exists for the tests of reports alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.events.event import Event
from tenantry.foundation.jobs.handler import GiveUp, Job, Retry, handles, on
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.work import Work


class Stage:
    """What the next handler meets: a gate, and somebody who looks on."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.at_gate = asyncio.Event()
        self.look: Callable[[], Awaitable[object]] | None = None
        self.job: Job | None = None

    async def passed(self, job: Job) -> None:
        self.job = job
        self.at_gate.set()
        if self.look is not None:
            await self.look()
        else:
            await self.gate.wait()


stage = Stage()


class Sown(Event):
    """A field was sown."""

    kind: ClassVar[str] = "report_trial.sown"
    field: str


class Steps(msgspec.Struct):
    steps: int


@action(requires=ANYONE, records=Sown)
async def sow(work: Work, *, field: str) -> None:
    """Sow a field."""
    work.record(Sown(field=field))


@on(Sown, tracked=True)
async def harvest(job: Job, event: Sown) -> None:
    """Bring it in."""


@handles("report_trial.count")
async def count(job: Job, given: Steps) -> None:
    """Count, and say each step."""
    for step in range(given.steps + 1):
        await job.report(done=step, total=given.steps, note=f"step {step}")


@handles("report_trial.stand")
async def stand(job: Job) -> None:
    """Say something, then stand at the gate."""
    await job.report(done=1, total=2, note="half way")
    await stage.passed(job)


@handles("report_trial.commit")
async def commit(job: Job, given: Steps) -> None:
    """Say each step inside the job's own work."""
    async with job.work(reason="a test") as work:
        for step in range(given.steps + 1):
            await job.report(done=step, total=given.steps)
        await work.connection.execute("insert into tenantry.trial values ('counted')")
    await job.report(note="too late")


@handles("report_trial.linger")
async def linger(job: Job) -> None:
    """Say something inside the job's own work, then stand at the gate."""
    async with job.work(reason="a test"):
        await job.report(done=1, total=2)
        await stage.passed(job)


@handles("report_trial.undo")
async def undo(job: Job) -> None:
    """Say something in a work that is rolled back, and give up."""
    async with job.work(reason="a test"):
        await job.report(done=7)
        raise GiveUp("it was not to be")


@handles("report_trial.again")
async def again(job: Job) -> None:
    """Say how far it came, and ask for another attempt."""
    await job.report(done=job.attempt)
    raise Retry(after=0)


@handles("report_trial.boast")
async def boast(job: Job) -> None:
    """Say what nobody can print."""
    await job.report(note="all\0 fine\ud800\n" + "x" * 500)
    await stage.passed(job)


@handles("report_trial.miscount")
async def miscount(job: Job) -> None:
    """Count below nothing."""
    await job.report(done=-1)
