"""Much is told to many while whoever tells it dies again and again; then it is counted: nothing lost, nothing unasked.

In the first phase events happen, receivers fail, hang up and are slow, one of two workers is killed every few seconds,
leases end under the living and PostgreSQL restarts. In the second nobody is hurt any more: all that is left is sent,
and what arrived at each endpoint is compared with what the event log says that it wanted.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from tenantry import HOUSE, Event, action
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.trouble import TROUBLE, breath
from tenantry.foundation.work import SystemWork
from tenantry.orgs.events import InviteDeclined, InviteExpired, MemberRoleChanged
from tenantry.testing import Client, Databases, Installation, installed
from webhooks.receiving import told

from .app import Program, Stage, environment, eventually, new_address, staged
from .conftest import Mortal
from .subscribing import COME_NOW, NOBODY_HOLDS_IT

EVENTS, ALL_EVENTS = 20_000, 100_000
AT_ONCE = 400
ORGS = 6
DEATHS = 6
"""Workers that die in the first phase."""
DEATH_EVERY, BETWEEN_DEATHS = 2.0, 300
"""Seconds and arrivals between two deaths, at least."""
STILL_FOR = 60.0
"""Seconds in which something must get on, a lease of the dead and a start of a worker among them."""
WANTED = {
    ("member.role_changed",): ("orgs.member_role_changed",),
    ("member.*", "invite.declined"): ("orgs.member_role_changed", "orgs.invite_declined"),
}
"""What endpoints ask for, and the kinds of events that this means; invites that expire are wanted by nobody."""
RECORDED = "select count(*) from tenantry.events where kind = any ($1)"
HAPPENED = "select public_id from tenantry.events where org_id = $1 and kind = any ($2)"
ENDED = """
    select count(*) filter (where delivered_at is not null) as delivered,
           (select count(*) from tenantry.webhook_due) as waiting
      from tenantry.webhook_deliveries
"""
WRONG = """
    with made as (
        select org_id, endpoint_id, event_id, count(*) as times, max(number) as last,
               count(*) filter (where status = 200) as taken
          from tenantry.webhook_attempts
         group by 1, 2, 3
    )
    select event_id, delivery.attempts, made.times, made.last, made.taken, failed_at, delivered_at
      from tenantry.webhook_deliveries as delivery
      left join made using (org_id, endpoint_id, event_id)
     where delivered_at is null or failed_at is not null or made.taken is distinct from 1
        or delivery.attempts is distinct from made.times or made.last is distinct from made.times
"""


@dataclass
class Ear:
    """What an endpoint hears, and how it behaves the first time that it hears a tenth of that."""

    org_id: UUID
    wants: tuple[str, ...]
    manner: str
    path: str
    secret: str = ""
    heard: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    forged: list[str] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        """Take one in, verified; or not."""
        body, id = await request.read(), request.headers["webhook-id"]
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.forged.append(f"{id}: {error}")
        self.heard[id] += 1
        odd = self.heard[id] == 1 and sum(id.encode()) % 10 == 0
        if self.manner == "slow":
            await asyncio.sleep(0.05)
        if self.manner == "fails" and odd:
            return web.Response(status=500)
        if self.manner == "hangs_up" and odd and request.transport is not None:
            request.transport.abort()
        else:
            self.taken[id] += 1
        return web.Response()


@asynccontextmanager
async def hearing(ears: Mapping[str, Ear]) -> AsyncIterator[str]:
    """One place at which all of these listen; where it is."""

    async def hear(request: web.Request) -> web.Response:
        return await ears[request.path].hear(request)

    app = web.Application()
    app.router.add_post("/{ear}", hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield ":".join(map(str, runner.addresses[0][:2]))
    finally:
        await runner.cleanup()


@action(requires=HOUSE, records=(MemberRoleChanged, InviteDeclined, InviteExpired))
async def happen(work: SystemWork, *, events: list[Event]) -> None:
    """Have all of this happened, in one commit."""
    for event in events:
        work.record(event)


def _events(orgs: list[UUID], many: int) -> list[Event]:
    made: list[Event] = []
    for nth in range(many):
        org, invite = orgs[nth % len(orgs)], new_id()
        match nth // len(orgs) % 4:
            case 0:
                made.append(MemberRoleChanged(org_id=org, user_id=new_id(), role="admin", version_after=nth))
            case 1:
                made.append(InviteExpired(org_id=org, invite_id=invite))
            case _:
                made.append(InviteDeclined(org_id=org, invite_id=invite, user_id=None))
    return made


class Town:
    """Several organizations with endpoints, two workers, and the account of all that is told."""

    def __init__(self, stage: Stage, house: Installation, place: str, ears: dict[str, Ear], folder: Path) -> None:
        self.stage, self.house, self.place, self.ears = stage, house, place, ears
        settings = environment(stage.past, folder, 1, TENANTRY_EGRESS_ALLOW=place, TENANTRY_LOG_LEVEL="error")
        self.workers = [Program(("worker",), settings, folder / f"worker-{name}.log") for name in "ab"]
        self.deaths = 0

    @property
    def orgs(self) -> list[UUID]:
        """Who is told something."""
        return sorted({ear.org_id for ear in self.ears.values()})

    @property
    def arrived(self) -> int:
        """How many arrived, each as often as it did."""
        return sum(ear.heard.total() for ear in self.ears.values())

    async def settle(self) -> None:
        """Found the organizations and their endpoints."""
        manners = itertools.cycle(("well", "fails", "hangs_up", "slow", "well"))
        for _ in range(ORGS):
            owner = await self.house.person(new_address())
            org = str((await owner.post("/v1/orgs", {"name": "Acme"})).json["id"])
            for types in WANTED:
                await self._endpoint(owner, org, types, next(manners))
        await self.house.drain_jobs()
        await self.house.drain_consumers()

    async def _endpoint(self, owner: Client, org: str, types: tuple[str, ...], manner: str) -> None:
        org_id, path = ORG_ID.read(org), f"/{len(self.ears)}"
        assert org_id is not None
        body = {"url": f"http://{self.place}{path}", "events": list(types)}
        made = await owner.post(f"/v1/orgs/{org}/webhook-endpoints", body)
        assert made.status == 201, made
        self.ears[path] = Ear(org_id, WANTED[types], manner, path, made.json["secret"])

    async def happen(self, many: int) -> None:
        """Have so many events happen, from death to death; who cannot commit, the database being away, tries again."""
        call, kinds = Call(self.house.runtime, Actor("cli"), "a-trial"), _kinds()
        while (left := many - await self.stage.value(RECORDED, kinds)) > 0:
            await eventually(partial(self._is_time, 1 - left / many), STILL_FOR)
            try:
                async with SystemWork(call, reason="a trial") as work:
                    await happen(work, events=_events(self.orgs, AT_ONCE))
            except TROUBLE:
                await breath()

    async def _is_time(self, share: float) -> bool:
        return share * (DEATHS + 1) <= self.deaths + 1

    async def die(self, mortal: Mortal) -> None:
        """Kill one worker after the other, each time that some more arrived; amid it, have PostgreSQL restart."""
        known = self.arrived
        for worker in itertools.islice(itertools.cycle(self.workers), DEATHS):
            await asyncio.sleep(DEATH_EVERY)
            await eventually(partial(self._has_arrived, known + BETWEEN_DEATHS), STILL_FOR)
            await worker.kill()
            known = self.arrived  # before more may happen, all of which a quick machine tells during the next sleep
            self.deaths += 1
            if self.deaths == DEATHS // 2:
                await mortal.restarted(signal.SIGINT)
            if self.deaths < DEATHS:
                # those of the other one too, which finds itself without what it holds; the last run out by themselves
                await self.stage.rows(NOBODY_HOLDS_IT)
            worker.start()

    async def _has_arrived(self, many: int) -> bool:
        return self.arrived >= many

    async def hurry(self) -> None:
        """Have what failed be tried again soon, until cancelled."""
        while True:
            await self.stage.rows(COME_NOW)
            await asyncio.sleep(0.5)

    async def drained(self, expected: int) -> None:
        """Wait until so much is delivered and nothing waits; every while something must get on."""
        known, since = -1, time.monotonic()
        while True:
            [row] = await self.stage.rows(ENDED)
            if (row["delivered"], row["waiting"]) == (expected, 0):
                return
            if row["delivered"] != known:
                known, since = row["delivered"], time.monotonic()
            lines = [line for worker in self.workers for line in worker.lines()[-10:]]
            assert time.monotonic() - since < STILL_FOR, "\n".join([f"{dict(row)} of {expected}", *lines])
            await asyncio.sleep(0.1)

    async def wanted(self) -> dict[str, set[str]]:
        """What each endpoint was to be told, by the event log."""
        return {
            path: {told(row["public_id"]) for row in await self.stage.rows(HAPPENED, ear.org_id, list(ear.wants))}
            for path, ear in self.ears.items()
        }


def _kinds() -> list[str]:
    return [MemberRoleChanged.kind, InviteDeclined.kind, InviteExpired.kind]


@pytest.fixture
async def town(mortal: Mortal, registry: Registry, tmp_path: Path) -> AsyncIterator[Town]:
    """A town on the PostgreSQL that may be killed."""
    databases, ears = Databases(mortal.url), dict[str, Ear]()
    await databases.prepare()
    try:
        async with staged(databases, registry, tmp_path) as stage, hearing(ears) as place:
            allowed = {"TENANTRY_EGRESS_ALLOW": place}
            async with installed(stage.past, tmp_path / "house", registry=registry, environ=allowed) as house:
                made = Town(stage, house, place, ears, tmp_path)
                try:
                    yield made
                finally:
                    for worker in made.workers:
                        await worker.kill()
    finally:
        await databases.forget()


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_every_event_arrives_at_each_endpoint_that_wanted_it_and_at_no_other_while_workers_die(
    town: Town, mortal: Mortal, request: pytest.FixtureRequest
) -> None:
    many = ALL_EVENTS if request.config.getoption("--all-faults") else EVENTS
    await town.settle()
    began = time.monotonic()
    for worker in town.workers:
        worker.start()
    async with asyncio.TaskGroup() as group:
        hurrying = group.create_task(town.hurry())
        dying = group.create_task(town.die(mortal))
        await town.happen(many)
        await dying
        first, in_first = time.monotonic() - began, town.arrived
        wanted = await town.wanted()
        expected = sum(map(len, wanted.values()))
        await town.drained(expected)
        hurrying.cancel()
    seconds, again = time.monotonic() - began, sum(ear.taken.total() - len(ear.taken) for ear in town.ears.values())
    print(
        f"{expected} deliveries of {many} events in {seconds:.0f} s, {expected / seconds:.0f}/s; {in_first} arrived in"
        f" the first phase of {first:.0f} s, in which {town.deaths} workers died; {again} were taken again"
    )
    for path, ear in town.ears.items():
        assert set(ear.heard) == set(ear.taken) == wanted[path], (ear.manner, len(ear.heard), len(wanted[path]))
        assert not ear.forged
    assert await town.stage.rows(WRONG) == []
    assert await town.stage.value("select count(*) from tenantry.webhook_deliveries") == expected
