"""An organization that is told what happens: a receiver that hears it, a worker that may die, and the account of it.

Here belong the ways to make something happen, to look at how a delivery stands, and what must be true in the end.
Where the worker dies, and what else may happen meanwhile, is in the tests.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from standardwebhooks import Webhook

from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Installation, installed
from tenantry.webhooks.models import ENDPOINT_ID
from webhooks.receiving import Heard, Receiver, receiving, told

from .app import PATIENCE, Program, Stage, eventually, new_address
from .crash_points import Victim, Window
from .proxy import Speech

TYPE = "org.changed"
"""What happens."""
CHANGED = """
    select public_id from tenantry.events
     where org_id = $1 and kind = 'orgs.org_changed'
     order by epoch desc, tx desc, id desc
     limit 1
"""
STANDS = """
    select delivery.attempts, delivery.delivered_at, delivery.failed_at, lane.holder, lane.due_at as lane_due_at,
           due.due_at, due.tries, due.attempts as due_attempts,
           (select count(*) from tenantry.webhook_attempts as made where made.event_id = delivery.event_id) as written
      from tenantry.webhook_deliveries as delivery
      join tenantry.webhook_lanes as lane using (org_id, endpoint_id)
      left join tenantry.webhook_due as due using (org_id, endpoint_id, event_id)
     where delivery.event_id = $1
"""
ATTEMPTS = "select * from tenantry.webhook_attempts where event_id = $1 order by number"
MESSAGES = "select count(*) from tenantry.webhook_messages where event_id = $1"
WAITING = """
    select (select count(*) from tenantry.webhook_due)
           + (select count(*) from tenantry.webhook_lanes where due_at is not null or holder is not null)
"""
NOBODY_HOLDS_IT = """
    update tenantry.webhook_lanes set held_until = tenantry.tick() - interval '1 second' where holder is not null
"""
# a lane that waits for nothing is left as it is: whoever let it go so has to have been right
COME_NOW = """
    with due as (
        update tenantry.webhook_due set due_at = tenantry.now()
         where (org_id, endpoint_id, event_id) in (select org_id, endpoint_id, event_id
                                                     from tenantry.webhook_due
                                                    where due_at > tenantry.now()
                                                      for update skip locked)
    )
    update tenantry.webhook_lanes set due_at = tenantry.now(), paused_until = null
     where endpoint_id in (select endpoint_id
                             from tenantry.webhook_lanes
                            where due_at is not null
                              and greatest(due_at, paused_until) > tenantry.now()
                              for update skip locked)
"""
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Subscriber:
    """An endpoint of an organization, with who made it."""

    owner: Client
    org_id: UUID
    endpoint_id: UUID
    org: str
    path: str
    secret: str

    async def rotated(self) -> str:
        """Give it another secret, and say which."""
        answer = await self.owner.post(f"{self.path}/rotation", {})
        assert answer.status == 200, answer
        return str(answer.json["secret"])

    async def put(self, *, enabled: bool) -> None:
        """Enable it or not."""
        answer = await self.owner.patch(self.path, {"enabled": enabled})
        assert answer.status == 200, answer


class Subscribing:
    """A stage whose `command` is a worker; `house` is past the proxy, in this process."""

    def __init__(self, stage: Stage, house: Installation, receiver: Receiver) -> None:
        self.stage, self.house, self.receiver = stage, house, receiver

    @property
    def worker(self) -> Program:
        """Who tells."""
        return self.stage.command

    async def subscribed(self, *types: str) -> Subscriber:
        """An endpoint of a new organization; no worker runs, and nothing waits for anybody."""
        await self._begin_anew()
        owner = await self.house.person(new_address())
        founded = await owner.post("/v1/orgs", {"name": "Acme"})
        assert founded.status == 201, founded
        org = str(founded.json["id"])
        made = await self.endpoint(owner, org, *types)
        await self.house.drain_jobs()
        await self.house.drain_consumers()
        return made

    async def _begin_anew(self) -> None:
        await self.worker.kill()
        self.receiver.answers.clear()
        self.receiver.heard.clear()
        # of a test that failed
        await self.stage.rows("delete from tenantry.webhook_due")
        await self.stage.rows("update tenantry.webhook_lanes set due_at = null, holder = null, held_until = null")

    async def endpoint(self, owner: Client, org: str, *types: str) -> Subscriber:
        """One more endpoint of an organization."""
        path = f"/v1/orgs/{org}/webhook-endpoints"
        made = await owner.post(path, {"url": self.receiver.url, "events": list(types)})
        assert made.status == 201, made
        org_id, endpoint_id = ORG_ID.read(org), ENDPOINT_ID.read(made.json["id"])
        assert org_id is not None
        assert endpoint_id is not None
        return Subscriber(owner, org_id, endpoint_id, org, f"{path}/{made.json['id']}", made.json["secret"])

    async def happens(self, subscriber: Subscriber) -> UUID:
        """The organization changes, by its verb, past the proxy; the event's id."""
        name = {"name": f"Acme {next(_numbers)}"}
        answer = await subscriber.owner.patch(f"/v1/orgs/{subscriber.org}", name)
        assert answer.status == 200, answer
        return UUID(str(await self.stage.value(CHANGED, subscriber.org_id)))

    def heard(self, event: UUID) -> list[Heard]:
        """Each time that an event arrived."""
        return [one for one in self.receiver.heard if one.id == told(event)]

    async def came(self, event: UUID, times: int = 1) -> None:
        """Wait until an event has arrived so often."""

        async def arrived() -> bool:
            return len(self.heard(event)) >= times

        await eventually(arrived, PATIENCE)

    async def stands(self, event: UUID) -> dict[str, Any] | None:
        """How the delivery of an event stands, once there is one; it has one endpoint only."""
        rows = await self.stage.rows(STANDS, event)
        return dict(rows[0]) if rows else None

    async def attempts(self, event: UUID) -> list[dict[str, Any]]:
        """What was written down of an event, the first attempt first."""
        return [dict(row) for row in await self.stage.rows(ATTEMPTS, event)]

    async def failed(self, event: UUID, tries: int) -> None:
        """Wait until it is written down that so many attempts failed, and nobody is about to send another."""

        async def written() -> bool:
            stands = await self.stands(event)
            return stands is not None and (stands["tries"], stands["holder"]) == (tries, None)

        await eventually(written, PATIENCE)

    async def is_delivered(self, event: UUID) -> bool:
        """Whether it is written down that an event arrived, and nobody is about to send anything."""
        stands = await self.stands(event)
        return stands is not None and stands["delivered_at"] is not None and await self.stage.value(WAITING) == 0

    async def delivered(self, event: UUID, *, hurried: bool = False) -> None:
        """Wait until an event is delivered; `hurried`: what is to be tried again later is tried at once."""

        async def over() -> bool:
            if hurried:
                await self.stage.rows(COME_NOW)
            return await self.is_delivered(event)

        try:
            await eventually(over, PATIENCE)
        except AssertionError as late:
            stands, attempts = await self.stands(event), await self.attempts(event)
            raise AssertionError("\n".join(map(str, [late, stands, *attempts, *self.worker.lines()[-20:]]))) from late

    async def set_free(self) -> None:
        """End the leases of the dead: how long those are left to them is the sender's own test."""
        await self.stage.rows(NOBODY_HOLDS_IT)

    async def assert_told(self, subscriber: Subscriber, event: UUID, *before: int) -> None:
        """It arrived under one id, each time signed and the same; what is written down is 200 after these answers."""
        heard = self.heard(event)
        assert heard, "it never arrived"
        for one in heard:
            assert Webhook(subscriber.secret).verify(one.body, one.headers) == one.json
        assert len({one.body for one in heard}) == 1
        stamps = [int(one.headers["webhook-timestamp"]) for one in heard]
        assert stamps == sorted(stamps)
        attempts, stands = await self.attempts(event), await self.stands(event)
        assert stands is not None
        assert [one["status"] for one in attempts] == [*before, 200]
        assert [one["number"] for one in attempts] == list(range(1, len(attempts) + 1)), "a gap"
        assert stands["attempts"] == len(attempts) <= len(heard)
        assert stands["failed_at"] is None
        assert await self.stage.value(MESSAGES, event) == 1


@asynccontextmanager
async def subscribing(stage: Stage, registry: Registry, folder: Path) -> AsyncIterator[Subscribing]:
    """The stage with a receiver."""
    async with receiving() as receiver:
        allowed = {"TENANTRY_EGRESS_ALLOW": receiver.place}
        stage.command.environment |= allowed
        stage.command.words = ("worker",)
        async with installed(stage.past, folder / "house", registry=registry, environ=allowed) as house:
            yield Subscribing(stage, house, receiver)


class Inside:
    """Watches what a connection says from some words on, until its transaction is over."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._inside: set[Speech] = set()

    def __call__(self, speech: Speech) -> bool:
        if speech.latest.startswith(("begin", "rollback")):
            self._inside.discard(speech)
        if self._words in speech.latest:
            self._inside.add(speech)
        return speech in self._inside


@dataclass(frozen=True)
class Way:
    """A part of the way to an endpoint: the words it begins with, and what else is said to the database in it."""

    words: str
    steps: tuple[str, ...]
    fanned_out: bool = True
    answers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Told:
    """What happened, and who is told."""

    subscriber: Subscriber
    event: UUID


class Telling:
    """An event that is told by a worker which dies somewhere in it."""

    def __init__(self, place: Subscribing, way: Way, victim: Victim | None = None) -> None:
        self.place, self.way, self._victim = place, way, victim

    async def prepare(self) -> Told:
        # somebody new each time, whose access token is young
        subscriber = await self.place.subscribed(TYPE)
        event = await self.place.happens(subscriber)
        if self.way.fanned_out:
            await self.place.house.drain_consumers()
        self.place.receiver.answer(*self.way.answers)
        return Told(subscriber, event)

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.place.stage.proxy.window(watch=Inside(self.way.words))

    async def act(self, client: Told) -> Told:
        self.place.worker.start()

        async def over() -> bool:
            return not self.place.worker.running or await self._is_done(client.event)

        await eventually(over, PATIENCE)
        return client

    async def victim(self) -> None:
        await (self.place.worker.kill if self._victim is None else self._victim)()

    async def restart(self) -> None:
        if not self.place.worker.running:
            await self.place.set_free()
            self.place.worker.start()

    async def check(self, outcome: Told) -> None:
        subscriber, event = outcome.subscriber, outcome.event
        stands = await self.place.stands(event)
        if stands is not None and stands["due_at"] is not None:
            assert stands["tries"] == stands["due_attempts"] == stands["written"], "another place in the schedule"
        await self.place.delivered(event, hurried=bool(self.way.answers))
        await self.place.worker.kill()
        # an answer that nobody wrote down is none
        failed = [one["status"] for one in await self.place.attempts(event)][:-1]
        assert failed in ([], list(self.way.answers))
        await self.place.assert_told(subscriber, event, *failed)

    async def _is_done(self, event: UUID) -> bool:
        if not self.way.answers:
            return await self.place.is_delivered(event)
        stands = await self.place.stands(event)
        return stands is not None and stands["tries"] == len(self.way.answers) and stands["holder"] is None
