"""A request at whose every message something dies, and the two judgements that follow.

First the ledger: what the client was told against what the database gained or lost, counted over everything that
requests can change, so that a part too many is found as well as a part too few. Then the retry: the same request again
must give the one effect that was asked for. A subclass says which request, which parts and what a retry gives.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Generic, TypeVar

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
     union all select 'jobs', (select count(*) from tenantry.jobs) + (select count(*) from tenantry.job_runs)
     union all select 'event ' || kind, count(*) from tenantry.events group by kind
"""
Subject = TypeVar("Subject")


class Flow(Generic[Subject]):
    """One request; `victim` is who dies at its points, by default the app, its processes all at once."""

    success: ClassVar[int] = 200
    parts: ClassVar[frozenset[str]]

    def __init__(self, stage: Stage, victim: Victim | None = None) -> None:
        self.stage, self._victim = stage, victim
        self._before: Counter[str] = Counter()

    async def subject(self) -> Subject:
        """Whom or what the request is about, brought about behind the scenes."""
        raise NotImplementedError

    async def request(self, subject: Subject) -> Response:
        """The request as a client sends it."""
        raise NotImplementedError

    async def again(self, subject: Subject, answer: Response | None) -> None:
        """Ask again after recovery; assert the one effect."""
        raise NotImplementedError

    async def prepare(self) -> Subject:
        await self._anew()
        subject = await self.subject()
        self._before = await self._counted()
        return subject

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.stage.proxy.window(watch=of_a_request)

    async def act(self, client: Subject) -> tuple[Subject, Response | None]:
        return client, await asked(self.request(client))

    async def victim(self) -> None:
        await (self._victim or self.stage.app.kill)()

    async def restart(self) -> None:
        if self._victim is None:
            await self.stage.start()
        else:
            await until_ready(self.stage.client, HEALED_WITHIN)

    async def check(self, outcome: tuple[Subject, Response | None]) -> None:
        subject, answer = outcome
        ledger = Ledger()
        ledger.asked("request", self.parts)
        ledger.learned("request", self._fate(answer))
        ledger.demand({"request": self._changes(await self._counted())})
        await self.again(subject, answer)

    async def _anew(self) -> None:
        """Have an app whose connections know no statement yet: a warm one sends less."""
        if self._victim is None or not self.stage.app.running:
            await self.stage.start()
        else:
            self.stage.proxy.reset()
            await self.stage.proxy.released()

    def _fate(self, answer: Response | None) -> Fate:
        # who outlives its database must say so, and in a way that a client may try again after
        allowed = {self.success, 503} | (set() if self._victim else {None})
        assert status_of(answer) in allowed, answer
        return Fate.ACKNOWLEDGED if status_of(answer) == self.success else fate_of(status_of(answer))

    def _changes(self, after: Counter[str]) -> Counter[str]:
        gained, lost = after - self._before, self._before - after
        return Counter({f"+ {part}": number for part, number in gained.items()}) + Counter(
            {f"- {part}": number for part, number in lost.items()}
        )

    async def _counted(self) -> Counter[str]:
        return Counter({part: int(number) for part, number in await self.stage.rows(EVERYTHING)})


async def hold(flow: Flow[Any], chosen: Chosen) -> None:
    """Visit the chosen points of a flow."""
    points = await enumerate_points(flow)
    assert any("commit" in point.unit.sql for point in points)
    await visit_all(flow, chosen(points))
