"""Jobs of a domain that exists for the tests of the queue alone."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import ClassVar
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.events.event import Event
from tenantry.foundation.jobs.handler import GiveUp, Job, Queue, Rate, Retry, Snooze, every, handles, on
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.work import Work


class Seen:
    """What ran, and the gates that hold it."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, UUID, int]] = []
        self.names: list[str] = []
        self.gate, self.second = asyncio.Event(), asyncio.Event()
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.ticks: list[object] = []

    def enter(self, *places: str) -> None:
        """One more is inside; the most that ever were is kept."""
        for place in places:
            self.inside[place] += 1
            self.most[place] = max(self.most[place], self.inside[place])

    def leave(self, *places: str) -> None:
        for place in places:
            self.inside[place] -= 1

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


@handles("queue_trial.twice")
async def twice(job: Job) -> None:
    """Stand until the second attempt has begun, and at that one at the gate."""
    seen.note(job)
    try:
        if job.attempt == 1:
            await seen.second.wait()
        else:
            seen.second.set()
            await seen.gate.wait()
    finally:
        seen.names.append(f"{job.attempt} ended")


@handles("queue_trial.forsaken")
async def forsaken(job: Job) -> None:
    """Wait for something that is cancelled."""
    seen.note(job)
    waiting = asyncio.get_running_loop().create_future()
    waiting.cancel()
    await waiting


class Checked(msgspec.Struct):
    name: str

    def __post_init__(self) -> None:
        {"known": True}[self.name]


@handles("queue_trial.checked")
async def checked(job: Job, given: Checked) -> None:
    """Take only known names."""
    seen.note(job)


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


@every(minutes=10, missed="all")
async def weigh(job: Job) -> None:
    """Weigh the leaves of each tick."""
    seen.ticks.append(job.tick)


@every(minutes=10, missed="skip")
async def burn(job: Job) -> None:
    """Burn the leaves, when it is time."""
    seen.note(job)


@handles("queue_trial.snooze")
async def snooze(job: Job) -> None:
    """Put it off."""
    seen.note(job)
    raise Snooze(after=0.2)


@handles("queue_trial.stubborn")
async def stubborn(job: Job) -> None:
    """Go on when told to stop, and try to leave a row all the same."""
    seen.note(job)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        async with job.work(reason="a test") as work:
            await work.connection.execute("insert into tenantry.trial values ('too late')")


@handles("queue_trial.poison", max_attempts=2)
async def poison(job: Job) -> None:
    """Take the process along."""
    os._exit(9)


@handles("queue_trial.orgs")
async def orgs(job: Job) -> None:
    """See which organizations there are, in a step and in the last work, and ask for another job."""
    query = "select id::text from tenantry.orgs order by id"
    async with job.org_step(reason="a test") as step:
        seen.names += ["step", *[row[0] for row in await step.connection.fetch(query)]]
    async with job.org_work(reason="a test") as work:
        seen.names += ["work", *[row[0] for row in await work.connection.fetch(query)]]
        if job.org is not None:
            work.enqueue(NewJob("queue_trial.nothing"))


NARROW = Queue("narrow", at_once=2)
SHARED = Queue("shared", at_once=4, per_org=3)
ORDERED = Queue("ordered", per_group=1)
PAIRED = Queue("paired", per_group=2)
PACED = Queue("paced", rate=Rate(3, 60))
BRISK = Queue("brisk", rate=Rate(2, 1))
ORG_PACED = Queue("org_paced", org_rate=Rate(2, 60))
GROUP_PACED = Queue("group_paced", per_group=3, group_rate=Rate(2, 60))


def _standing(queue: Queue) -> Callable[[Job, Named], Awaitable[None]]:
    @handles(f"queue_trial.{queue.name}", queue=queue)
    async def stand(job: Job, given: Named) -> None:
        """Be inside for a moment, or while the gate is closed where the name says so."""
        places = (queue.name, f"{queue.name}/{job.org}", f"{queue.name}/{job.org}/{job.group and job.group.key}")
        seen.enter(*places)
        seen.note(job)
        try:
            if given.name.startswith("fails") and job.attempt == 1:
                raise Retry(after=0.3)
            if given.name.startswith("waits"):
                await seen.gate.wait()
            await asyncio.sleep(0)
            seen.names.append(given.name)
        finally:
            seen.leave(*places)

    return stand


narrow, shared, ordered, paired = map(_standing, (NARROW, SHARED, ORDERED, PAIRED))
paced, brisk, org_paced, group_paced = map(_standing, (PACED, BRISK, ORG_PACED, GROUP_PACED))
