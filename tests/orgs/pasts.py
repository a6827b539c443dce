"""Random pasts of organizations: every verb, by whoever may and whoever may not, with their rows noted on the way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from tenantry.accounts import actions as accounts
from tenantry.foundation.action import Verb, every_verb
from tenantry.foundation.around import Wrap
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.forgetting import ForgettingWork
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.net.address import MailAddress, read_address
from tenantry.foundation.permission import ROLES, Role
from tenantry.foundation.problems import Problem
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import OrgWork, PersonWork, SystemWork
from tenantry.orgs import actions, exchanges
from tenantry.orgs.models import SLUGS_KEPT
from tenantry.testing import HandClock, Installation

FOLDED = ("orgs", "org_slugs", "members", "invites")
SLUGS = tuple(f"slug-{letter}" for letter in "abcdefghijklmno")
OF_THE_DEMO = "tenantry.orgs.actions.crowd.found_crowd"
Rows = dict[str, list[dict[str, Any]]]


def verbs_of_orgs() -> dict[str, Verb]:
    """Every verb that organizations have, by its key; but a demo's crowd, which tests/seeding folds."""
    return {key: verb for key, verb in every_verb() if key.startswith("tenantry.orgs.") and key != OF_THE_DEMO}


@dataclass
class Person:
    """Somebody with an account, and the device they use."""

    id: UUID
    address: MailAddress
    session: UUID
    since: datetime
    gone: bool = False


@dataclass
class Past:
    """A past as it happens: who there is, which verbs did something, and what the rows were after each step."""

    house: Installation
    clock: HandClock
    chance: random.Random
    people: list[Person] = field(default_factory=list)
    strangers: list[MailAddress] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    noted: list[tuple[datetime, dict[UUID, Rows]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        wraps = {key: (Wrap(key, self._watch(key), {}),) for key in verbs_of_orgs()}
        self.runtime: Runtime = msgspec.structs.replace(self.house.runtime, wraps=wraps)

    def _watch(self, key: str) -> Callable[..., AsyncGenerator[None, Any]]:
        async def watching(_: object) -> AsyncGenerator[None, Any]:
            yield
            self.used.add(key)

        return watching

    def unused(self) -> set[str]:
        """The verbs that did not do anything so far."""
        return verbs_of_orgs().keys() - self.used

    # who calls

    def as_house(self) -> Call:
        return Call(self.runtime, Actor("job"), "a-past", source="192.0.2.1")

    def as_person(self, person: Person, *, even_closed: bool = False) -> Call:
        actor = Actor("person", person.id, person.session)
        return Call(self.runtime, actor, "a-past", source="192.0.2.1", even_closed=even_closed)

    async def arrive(self) -> None:
        """Somebody new, who may have been invited before."""
        address = self.strangers.pop() if self.strangers and self.chance.random() < 0.5 else self._new_address()
        async with SystemWork(self.as_house(), reason="a test") as work:
            user = await accounts.add_person(work, address=address, name="Ada Lovelace", password_hash="none")
            session, _ = msgspec.structs.astuple(await accounts.start_session(work, user_id=user.id))[:2]
        self.people.append(Person(user.id, address, session, self.clock.now))

    async def somebody(self) -> Person:
        """Anybody, on a device that is signed in."""
        person = self.chance.choice([one for one in self.people if not one.gone])
        if (self.clock.now - person.since).days > 20:
            async with SystemWork(self.as_house(), reason="a test") as work:
                person.session = (await accounts.start_session(work, user_id=person.id)).session_id
            person.since = self.clock.now
        return person

    def _new_address(self) -> MailAddress:
        return read_address(f"Person.{self.chance.randrange(10**9)}@Example.com")

    # what there is

    async def rows(self) -> dict[UUID, Rows]:
        """The rows of each organization, by table."""
        found: dict[UUID, Rows] = {}
        async with SystemWork(self.as_house(), reason="a test", reading=True) as work:
            for table in FOLDED:
                for row in await work.connection.fetch(f"select * from tenantry.{table}"):
                    org_id = row["id" if table == "orgs" else "org_id"]
                    found.setdefault(org_id, {name: [] for name in FOLDED})[table].append(dict(row))
        return found

    def some(self, table: str) -> dict[str, Any] | None:
        """Any row of a table, as it was after the last step."""
        rows = [row for tables in self.noted[-1][1].values() for row in tables[table]] if self.noted else []
        return self.chance.choice(rows) if rows else None

    def someones(self, user_id: UUID) -> Person | None:
        return next((one for one in self.people if one.id == user_id and not one.gone), None)

    async def member(self, org_id: UUID) -> Person:
        """Mostly one who belongs there, an owner more often than not."""
        here = list(self.noted[-1][1].get(org_id, {"members": []})["members"])
        here.sort(key=lambda row: row["role"] != "owner")
        found = self.someones(here[min(int(self.chance.expovariate(1.2)), len(here) - 1)]["user_id"]) if here else None
        anybody = await self.somebody()
        if found is None or self.chance.random() < 0.1:
            return anybody
        if (self.clock.now - found.since).days > 20:
            async with SystemWork(self.as_house(), reason="a test") as work:
                found.session = (await accounts.start_session(work, user_id=found.id)).session_id
            found.since = self.clock.now
        return found

    async def org_work(self, org_id: UUID, *, even_closed: bool = False) -> OrgWork:
        return OrgWork(self.as_person(await self.member(org_id), even_closed=even_closed), org_id)

    def role(self) -> Role:
        return self.chance.choice(ROLES)

    def address(self) -> MailAddress:
        """One of somebody, of a stranger who was invited before, or a new one."""
        known = [*(one.address for one in self.people if not one.gone), *self.strangers]
        if self.chance.random() < 0.7:
            return self.chance.choice(known)
        self.strangers.append(self._new_address())
        return self.strangers[-1]

    # what happens

    async def step(self) -> None:
        """Let one thing happen, or a few at once; note the rows."""
        self.clock.advance(seconds=self.chance.uniform(1, 5000))
        many = self.chance.random() < 0.2
        await asyncio.gather(*(self._try(self._any()) for _ in range(self.chance.randint(2, 5) if many else 1)))
        self.noted.append((self.clock.now, await self.rows()))

    def _any(self) -> Callable[[], Awaitable[Any]]:
        steps: dict[Callable[[], Awaitable[Any]], int] = {
            self.arrive: 3, self.found: 7, self.rename: 8, self.rename_often: 2, self.invite: 14, self.invite_some: 4,
            self.resend: 8, self.revoke: 5, self.accept: 16, self.decline: 5, self.change_role: 10, self.transfer: 3,
            self.leave: 5, self.remove: 4, self.add: 4, self.close: 3, self.reopen: 3, self.switch: 1, self.look: 1,
            self.days_pass: 3, self.upkeep: 6, self.close_account: 1, self.forget_address: 1, self.restrict: 3,
        }  # fmt: skip
        return self.chance.choices(list(steps), list(steps.values()))[0]

    async def _try(self, happen: Callable[[], Awaitable[Any]]) -> None:
        try:
            await happen()
        except Problem:
            # refused, as much of a random past is; what it did is rolled back
            return

    async def found(self) -> None:
        slug = self.chance.choice((None, *SLUGS))
        async with PersonWork(self.as_person(await self.somebody())) as work:
            await actions.create_org(work, name=f"Org {self.chance.randrange(100)}", slug=slug)

    async def rename(self) -> None:
        if org := self.some("orgs"):
            name = self.chance.choice((None, f"Other {self.chance.randrange(100)}"))
            slug = self.chance.choice((None, *SLUGS, f"own-{self.chance.randrange(10**6)}"))
            async with await self.org_work(org["id"]) as work:
                await actions.change_org(work, name=name, slug=slug)

    async def rename_often(self) -> None:
        """So often that the first slugs lead there no more."""
        if org := self.some("orgs"):
            for _ in range(SLUGS_KEPT + 2):
                self.clock.advance(seconds=1)
                async with await self.org_work(org["id"]) as work:
                    await actions.change_org(work, slug=f"own-{self.chance.randrange(10**6)}")

    async def invite(self) -> None:
        if org := self.some("orgs"):
            async with await self.org_work(org["id"]) as work:
                await actions.invite(work, address=self.address(), role=self.role())

    async def invite_some(self) -> None:
        if org := self.some("orgs"):
            wanted = [actions.Wanted(self.address(), self.role()) for _ in range(self.chance.randint(2, 5))]
            async with await self.org_work(org["id"]) as work:
                await actions.invite_many(work, wanted=wanted)

    async def resend(self) -> None:
        if invite := self.some("invites"):
            async with await self.org_work(invite["org_id"]) as work:
                await actions.resend_invite(work, invite_id=invite["id"])

    async def revoke(self) -> None:
        if invite := self.some("invites"):
            async with await self.org_work(invite["org_id"]) as work:
                await actions.revoke_invite(work, invite_id=invite["id"])

    async def accept(self) -> None:
        if invite := self.some("invites"):
            mine = [one for one in self.people if one.address.key == invite["email_key"] and not one.gone]
            who = mine[0] if mine else await self.somebody()
            await exchanges.accept_invite(self.as_person(who), invite_id=invite["id"])

    async def decline(self) -> None:
        if invite := self.some("invites"):
            if self.chance.random() < 0.5:
                token = self.runtime.one_time.issue(actions.PURPOSE, invite["id"], invite["generation"])
                await exchanges.decline_invite(Call(self.runtime, Actor("anonymous"), "a-past"), token=token)
                return
            mine = [one for one in self.people if one.address.key == invite["email_key"] and not one.gone]
            await exchanges.decline_invite(
                self.as_person(mine[0] if mine else await self.somebody()), invite_id=invite["id"]
            )

    async def change_role(self) -> None:
        if member := self.some("members"):
            async with await self.org_work(member["org_id"]) as work:
                await actions.change_role(work, user_id=member["user_id"], role=self.role(), version=None)

    async def transfer(self) -> None:
        if member := self.some("members"):
            async with await self.org_work(member["org_id"]) as work:
                await actions.transfer_ownership(work, user_id=member["user_id"])

    async def leave(self) -> None:
        member = self.some("members")
        if member and (who := self.someones(member["user_id"])):
            async with OrgWork(self.as_person(who), member["org_id"]) as work:
                await actions.leave(work)

    async def remove(self) -> None:
        if member := self.some("members"):
            async with await self.org_work(member["org_id"]) as work:
                await actions.remove_member(work, user_id=member["user_id"])

    async def add(self) -> None:
        if org := self.some("orgs"):
            user_id, role = (await self.somebody()).id, self.role()
            async with SystemWork(self.as_house(), reason="a test") as work:
                await actions.add_member(work, org_id=org["id"], user_id=user_id, role=role)

    async def close(self) -> None:
        if org := self.some("orgs"):
            async with await self.org_work(org["id"]) as work:
                await actions.close_org(work, slug=org["slug"])

    async def reopen(self) -> None:
        closed = [one["orgs"][0] for one in self.noted[-1][1].values() if one["orgs"][0]["closed_at"]]
        if closed and self.chance.random() < 0.5:
            async with await self.org_work(closed[0]["id"], even_closed=True) as work:
                await actions.reopen_org(work, slug=closed[0]["slug"])

    async def restrict(self) -> None:
        """Not paid, since a moment ago or some days from now on; as often paid."""
        if org := self.some("orgs"):
            since = self.clock.now + timedelta(days=self.chance.choice((-1, 2)))
            restricted_from = since if org["restricted_from"] is None else self.chance.choice((None, None, since))
            async with SystemWork(self.as_house(), reason="a test") as work:
                await actions.restrict_org(work, org_id=org["id"], restricted_from=restricted_from)

    async def switch(self) -> None:
        member = self.some("members")
        if member and (who := self.someones(member["user_id"])):
            async with PersonWork(self.as_person(who)) as work:
                await actions.switch_org(work, org_id=member["org_id"])

    async def look(self) -> None:
        if invite := self.some("invites"):
            token = self.runtime.one_time.issue(actions.PURPOSE, invite["id"], invite["generation"])
            await exchanges.look_at_invite(self.as_house(), token=token)
            query = ListQuery("-expires_at")
            await exchanges.offers_of_oneself(self.as_person(await self.somebody()), query=query)

    async def days_pass(self) -> None:
        self.clock.advance(days=self.chance.choice((3, 8, 31)))

    async def upkeep(self) -> None:
        """What schedules do: expire and forget invites, purge organizations and people."""
        async with SystemWork(self.as_house(), reason="a test") as work:
            await actions.expire_invites(work, most=1000)
            due = await work.connection.fetch("select id from tenantry.orgs where purge_at <= tenantry.now()")
            over = await work.connection.fetch("select id from tenantry.users where purge_at <= tenantry.now()")
        for row in due:
            await self._purge_org(row["id"])
        for person in self.people:
            if person.id in {row["id"] for row in over}:
                await self._purge_person(person)

    async def _purge_org(self, org_id: UUID) -> None:
        done = False
        while not done:
            async with ForgettingWork(self.as_house(), reason="a test") as work:
                done = await actions.purge_org(work, org_id=org_id)

    async def _purge_person(self, person: Person) -> None:
        async with SystemWork(self.as_house(), reason="a test") as work:
            await accounts.purge_person(work, user_id=person.id)
        if not await self.house.rows("select from tenantry.users where id = $1", person.id):
            person.gone = True
            self.forgotten.add(person.address.key)

    async def close_account(self) -> None:
        person = await self.somebody()
        async with SystemWork(self.as_house(), reason="a test") as work:
            await accounts.close_account(work, user_id=person.id, session_id=person.session)

    async def forget_address(self) -> None:
        if self.strangers:
            address = self.strangers.pop()
            async with SystemWork(self.as_house(), reason="a test") as work:
                await accounts.forget_address(work, address=address)
            self.forgotten.add(address.key)
