"""Something asked for, at whose every message something dies, and the two judgements that follow.

First the ledger: what was told against what the database gained or lost, counted over everything that can change, so
that a part too many is found as well as a part too few. Then the retry: asked for again, it must give the one effect.

A `Flow` is a line in the table of `flows`: who asks, how, what it changes and what holds in the end. A `Trial` puts it
on a stage and kills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tenantry.testing import Response

from .app import Stage, asked, of_a_request, status_of, until_ready
from .conftest import Chosen
from .crash_points import Victim, Window, enumerate_points, visit_all
from .ledger import Fate, Ledger, fate_of

HEALED_WITHIN = 10.0
EVERYTHING = """
    select 'users' as part, count(*) as number from tenantry.users
     union all select 'credentials', count(*) from tenantry.credentials
     union all select 'strong hashes', count(*) from tenantry.credentials where password_hash like '%m=19456,%'
     union all select 'registrations', count(*) from tenantry.registrations
     union all select 'sessions', count(*) from tenantry.sessions
     union all select 'turns', coalesce(sum(counter), 0) from tenantry.sessions
     union all select 'ended sessions', count(*) from tenantry.sessions where ended_at is not null
     union all select 'resets', count(*) from tenantry.password_resets
     union all select 'pending addresses', count(*) from tenantry.address_changes where confirmed_at is null
     union all select 'closed accounts', count(*) from tenantry.users where closed_at is not null
     union all select 'members', count(*) from tenantry.members
     union all select status || ' invites', count(*) from tenantry.invites group by status
     union all select 'closed organizations', count(*) from tenantry.orgs where closed_at is not null
     union all select 'jobs', (select count(*) from tenantry.jobs) + (select count(*) from tenantry.job_runs)
     union all select 'kept answers', count(*) from tenantry.kept_answers
     union all select state || ' keys', count(*) from tenantry.signing_keys group by state
     union all select 'event ' || kind, count(*) from tenantry.events group by kind
"""
TORN = """
    select 'no audit row of ' || kind as what
      from tenantry.events
     where kind = any ($1) and not exists (select from tenantry.audit_log where id = events.public_id)
     union all
    select 'no event of ' || action
      from tenantry.audit_log
     where action = any ($2) and outcome = 'done'
       and not exists (select from tenantry.events where public_id = audit_log.id)
     union all
    select 'no details of ' || kind
      from tenantry.events
     where digest is not null and not exists (select from tenantry.details where row_id = events.public_id)
"""
Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Told(Generic[Subject]):
    """What was answered, to the first asking (None: nothing was) and to the one after recovery."""

    stage: Stage
    subject: Subject
    first: Response | None
    retried: Response

    def given(self, status: int = 200) -> list[Response]:
        """The answers that have this status."""
        return [answer for answer in (self.first, self.retried) if answer is not None and answer.status == status]


@dataclass(frozen=True)
class Flow(Generic[Subject]):
    """One thing that is asked for. `changes` names each row gained or lost, two of a kind twice.

    `prepare` brings about, behind the scenes, whom or what it is about; `ask` asks as a client does, first and again;
    `holds` asserts the one effect after that. `repeated` is the answer to asking for what is done already; `beside` is
    what others may change meanwhile.
    """

    name: str
    changes: Iterable[str]
    prepare: Callable[[Stage], Awaitable[Subject]]
    ask: Callable[[Stage, Subject], Awaitable[Response]]
    holds: Callable[[Told[Subject]], Awaitable[None]]
    success: int = 200
    repeated: int | None = None
    beside: frozenset[str] = frozenset()
    by_command: bool = False  # whoever is asked, and dies, is a process of its own instead of the served app

    def acknowledged_by(self, answer: Response | None) -> bool:
        return status_of(answer) == self.success

    def may_repeat(self, first: Response | None) -> set[int]:
        """The statuses with which a retry may be answered."""
        done_already = self.success if self.repeated is None else self.repeated
        return {done_already} if self.acknowledged_by(first) else {self.success, done_already}


class Trial(Generic[Subject]):
    """A flow on a stage; `victim` is who dies at its points, by default whoever is asked, all its processes at once."""

    def __init__(self, flow: Flow[Subject], stage: Stage, victim: Victim | None = None) -> None:
        self.flow, self.stage, self._victim = flow, stage, victim
        self._before: Counter[str] = Counter()

    async def prepare(self) -> Subject:
        if not self.flow.by_command:
            await self._anew()
        subject = await self.flow.prepare(self.stage)
        self._before = await self._counted()
        return subject

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.stage.proxy.window(watch=of_a_request)

    async def act(self, client: Subject) -> tuple[Subject, Response | None]:
        return client, await asked(self.flow.ask(self.stage, client))

    async def victim(self) -> None:
        program = self.stage.command if self.flow.by_command else self.stage.app
        await (self._victim or program.kill)()

    async def restart(self) -> None:
        if self.flow.by_command:
            await self.stage.rows("select")  # its database is back; the next command is a new process anyway
        elif self._victim is None:
            await self.stage.start()
        else:
            await until_ready(self.stage.client, HEALED_WITHIN)

    async def check(self, outcome: tuple[Subject, Response | None]) -> None:
        subject, first = outcome
        ledger = Ledger()
        ledger.asked("request", _numbered(Counter(self.flow.changes)))
        ledger.learned("request", self._fate(first))
        ledger.demand({"request": _numbered(self._changes(await self._counted()))})
        assert not await self._torn()
        retried = await self.flow.ask(self.stage, subject)
        assert retried.status in self.flow.may_repeat(first), (retried, first)
        await self.flow.holds(Told(self.stage, subject, first, retried))

    async def _anew(self) -> None:
        """Have an app whose connections know no statement yet: a warm one sends less."""
        if self._victim is None or not self.stage.app.running:
            await self.stage.start()
        else:
            self.stage.proxy.reset()
            await self.stage.proxy.released()

    def _fate(self, answer: Response | None) -> Fate:
        # who outlives its database must say so, and in a way that a client may try again after
        allowed = {self.flow.success, 503} | (set() if self._victim else {None})
        assert status_of(answer) in allowed, answer
        return Fate.ACKNOWLEDGED if self.flow.acknowledged_by(answer) else fate_of(status_of(answer))

    def _changes(self, after: Counter[str]) -> Counter[str]:
        gained, lost = after - self._before, self._before - after
        changes = Counter({f"+ {part}": number for part, number in gained.items()})
        changes.update({f"- {part}": number for part, number in lost.items()})
        return Counter({change: number for change, number in changes.items() if change not in self.flow.beside})

    async def _torn(self) -> set[str]:
        """What stands without what belongs to it."""
        audited = [event for event in self.stage.behind.registry.events if event.audited is not None]
        kinds, actions = [event.kind for event in audited], [event.audited.action for event in audited]
        return {row["what"] for row in await self.stage.rows(TORN, kinds, actions)}

    async def _counted(self) -> Counter[str]:
        return Counter({part: int(number) for part, number in await self.stage.rows(EVERYTHING)})


def _numbered(changes: Counter[str]) -> list[str]:
    """Each row by itself, so that one of two is not taken for both."""
    return [f"{part} ({number})" for part, count in changes.items() for number in range(1, count + 1)]


async def hold(trial: Trial[Any], chosen: Chosen) -> None:
    """Visit the chosen points of a flow."""
    points = await enumerate_points(trial)
    assert any("commit" in point.unit.sql for point in points)
    await visit_all(trial, chosen(points))
