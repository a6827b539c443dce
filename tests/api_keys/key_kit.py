"""Keys of tests: made through the front door, and used as a program would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asyncpg import Connection

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import API_KEY_ID, ORG_ID, USER_ID
from tenantry.foundation.permission import Role
from tenantry.foundation.work import OrgWork
from tenantry.testing import Client, Installation
from tenantry.testing.team import Team

READ = ("members:read",)


@dataclass
class Made:
    """A key that was just made: what was answered, and a program that has the secret."""

    said: dict[str, Any]
    program: Client
    path: str

    @property
    def id(self) -> str:
        return str(self.said["id"])

    @property
    def secret(self) -> str:
        return str(self.said["secret"])


def keys_path(org: str) -> str:
    """Where an organization's keys are."""
    return f"/v1/orgs/{org}/api-keys"


def program(house: Installation, secret: str) -> Client:
    """Whoever has a key."""
    return house.client.signed_in({"access_token": secret})


async def make(house: Installation, who: Client, org: str, *scopes: str, **rest: Any) -> Made:
    """A key of somebody's in an organization."""
    body = {"name": "Nightly report", "scopes": list(scopes or READ)} | rest
    answer = await who.post(keys_path(org), body)
    assert answer.status == 201, answer
    return Made(answer.json, program(house, answer.json["secret"]), f"{keys_path(org)}/{answer.json['id']}")


async def opens(team: Team, key: Client) -> bool:
    """Whether a key that may see the members still does."""
    answer = await key.get(f"{team.path}/members")
    assert answer.status in {200, 401}, answer
    return answer.status == 200


@contextmanager
def asked() -> Iterator[list[str]]:
    """Whatever this process says to PostgreSQL meanwhile, but for what it began to do before."""
    said, before = list[str](), asyncio.all_tasks()
    known = {name: getattr(Connection, name) for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval")}
    for name, method in known.items():
        setattr(Connection, name, _noting(said, before, method))
    try:
        yield said
    finally:
        for name, method in known.items():
            setattr(Connection, name, method)


def _noting(said: list[str], before: set[asyncio.Task[Any]], method: Callable[..., Any]) -> Callable[..., Any]:
    async def noting(self: Connection[Any], query: str, *given: Any, **options: Any) -> Any:
        if asyncio.current_task() not in before:
            said.append(query)
        return await method(self, query, *given, **options)

    return noting


def as_house(house: Installation) -> Call:
    """A call of the house itself."""
    return Call(house.runtime, Actor("job"), "a-job-of-a-test")


async def set_role(house: Installation, org: str, who: Client, role: Role | None) -> None:
    """Make a member something else, or no member any more, by the hand of whoever may."""
    statement = "update tenantry.members set role = $3 where org_id = $1 and user_id = $2"
    given = [ORG_ID.read(org), USER_ID.read(who.user_id), role]
    if role is None:
        statement, given = "delete from tenantry.members where org_id = $1 and user_id = $2", given[:2]
    await house.rows(statement, *given)


async def work_of(house: Installation, org: str, who: Client) -> OrgWork:
    """A work of a member in their organization."""
    session = "select id from tenantry.sessions where user_id = $1 and ended_at is null order by created_at desc"
    person, org_id = USER_ID.read(who.user_id), ORG_ID.read(org)
    assert org_id is not None
    [found, *_] = await house.rows(session, person)
    return OrgWork(Call(house.runtime, Actor("person", person, found["id"]), "a-call-of-a-test"), org_id)


def uuid_of(key: str) -> UUID:
    """The id in the database of a key."""
    found = API_KEY_ID.read(key)
    assert found is not None
    return found
