"""Flags of tests: defined, seen, asked for in the name of somebody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from patience import until
from tenantry.flags import actions, flags_of, queries
from tenantry.flags.exchanges import Flags, flags_kept
from tenantry.flags.models import Definition, StoredFlag
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, SESSION_ID, USER_ID
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.testing import Client, Installation

ON_OFF: dict[str, Any] = {"kind": "boolean", "variants": {"on": True, "off": False}, "default": "off", "off": "off"}


def defined(**rest: Any) -> Definition:
    """A definition, of a flag that is on or off unless it says otherwise."""
    return msgspec.convert(ON_OFF | rest, Definition)


def house_work(house: Installation | Runtime) -> SystemWork:
    """Work of the house."""
    runtime = house if isinstance(house, Runtime) else house.runtime
    return SystemWork(Call(runtime, Actor("cli"), "a-trial"), reason="a test")


async def put(house: Installation, key: str, **rest: Any) -> StoredFlag:
    """Make or change a flag, and wait until the house's own process sees it."""
    async with house_work(house) as work:
        stored = await actions.put_flag(work, key=key, definition=defined(**rest))
    await seen(house.runtime)
    return stored


async def act(house: Installation, name: str, **rest: Any) -> None:
    """Do what one of the verbs does, and wait until it is seen."""
    async with house_work(house) as work:
        await getattr(actions, name)(work, **rest)
    await seen(house.runtime)


async def seen(runtime: Runtime, within: float = 5.0) -> None:
    """Wait until a process knows the flags as they are committed now."""
    kept = flags_kept(runtime)
    assert await kept.watch.ready(within=within)
    async with house_work(runtime) as work:
        mark = await queries.mark(work)
    await until(lambda: kept.watch.known == mark, within=within)


async def member_work(house: Installation, person: Client, org: str) -> OrgWork:
    """A member's work in an organization, to be opened."""
    claims = await house.runtime.keys.verify(person.tokens["access_token"])
    actor = Actor("person", person=USER_ID.read(claims.sub), session=SESSION_ID.read(claims.sid))
    return OrgWork(Call(house.runtime, actor, "a-request"), uuid_of(org), reading=True)


async def flags_as(house: Installation, person: Client, org: str, **attributes: Any) -> Flags:
    """All flags as a member has them."""
    async with await member_work(house, person, org) as work:
        return await flags_of(work, attributes=attributes)


def uuid_of(org: str) -> UUID:
    """The id that rows have."""
    found = ORG_ID.read(org)
    assert found is not None
    return found
