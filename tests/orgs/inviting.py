"""Inviting people in tests: an organization with its roles, and what arrives in the mail."""

from __future__ import annotations

import itertools
from typing import Any

import asyncpg
import msgspec

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, Installation, Response
from tenantry.testing.installation import PASSWORD

_addresses = itertools.count(1)
_orgs = itertools.count(1)


class Acme(msgspec.Struct):
    """An organization and somebody in each role."""

    id: str
    name: str
    owner: Client
    admin: Client
    member: Client

    @property
    def path(self) -> str:
        """Where its invites are."""
        return f"/v1/orgs/{self.id}/invites"


def new_address() -> str:
    """An address that nobody has."""
    return f"invited{next(_addresses)}@invites.example"


async def acme(house: Installation) -> Acme:
    """An organization whose admin and member joined by invite."""
    owner, admin, member = [await house.person() for _ in range(3)]
    name = f"Acme {next(_orgs)}"
    founded = await owner.post("/v1/orgs", {"name": name})
    assert founded.status == 201, founded
    there = Acme(founded.json["id"], name, owner, admin, member)
    for person, role in ((admin, "admin"), (member, "member")):
        await invited(there, person.email, role)
        joined = await accept(person, await house.mailed_token(person.email))
        assert (joined.status, joined.json) == (200, {"org": there.id, "role": role}), joined
    return there


async def invited(there: Acme, email: str, role: str = "member", *, by: Client | None = None) -> dict[str, Any]:
    """An invite that was just sent."""
    answer = await (by or there.owner).post(there.path, {"email": email, "role": role})
    assert answer.status == 201, answer
    sent: dict[str, Any] = answer.json
    return sent


async def accept(person: Client, token: str) -> Response:
    """The answer to accepting by a mailed token."""
    return await person.post("/v1/invites/acceptance", {"token": token})


async def roles(there: Acme) -> dict[str, str]:
    """Who belongs to it in which role."""
    members = (await there.owner.get(f"/v1/orgs/{there.id}/members?limit=100")).json["items"]
    return {one["email"]: one["role"] for one in members}


async def happened(house: Installation, kind: str, invite: dict[str, Any]) -> int:
    """How often something was recorded of an invite."""
    rows = await row_of(house, invite)
    return sum(one["invite_id"] == str(rows["id"]) for one in await house.recorded(kind))


async def row_of(house: Installation, invite: dict[str, Any]) -> asyncpg.Record:
    """An invite's row."""
    from_text = "select * from tenantry.invites where email = $1 order by created_at desc limit 1"
    [row] = await house.rows(from_text, invite["email"])
    return row


async def mails_to(house: Installation, email: str) -> int:
    """How many mails went to an address."""
    await house.drain_jobs()
    return sum(mail.to == email for mail in await house.mails())


async def signed_in_again(house: Installation, email: str) -> Client:
    """A person after a time in which their tokens expired."""
    login = await house.client.post("/v1/auth/login", {"email": email, "password": PASSWORD})
    assert login.status == 200, login
    return house.client.signed_in(login.json)


async def on_schedule(house: Installation, kind: str) -> None:
    """Let a schedule's tick come, and do all that it asks for."""
    async with SystemWork(Call(house.runtime, Actor("job"), "test"), reason="a test's tick") as work:
        work.enqueue(NewJob(kind))
    await house.drain_jobs()
