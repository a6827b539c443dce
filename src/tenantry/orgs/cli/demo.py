"""The organizations of a demo: two with a past in the small one, as many as one likes in a large one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from tenantry.accounts import actions as accounts
from tenantry.accounts import queries as people
from tenantry.foundation.call import Call
from tenantry.foundation.crowd import Company, Somebody
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.net.address import read_address
from tenantry.foundation.permission import Role
from tenantry.foundation.story import DAYS, DEMO, DEMO_PASSWORD, Story
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions, queries

OF_NOBODY = "a demo belongs to nobody who could make it"


class Comes(NamedTuple):
    """Somebody of the story: when they open an account, and which role they get where, a day later."""

    name: str
    days_ago: int
    harbour: Role | None
    cove: Role | None


HARBOUR, COVE = ("Harbour Lights", "harbour-lights"), ("Quiet Cove", "quiet-cove")
CAST = (
    Comes("Ruth Adeyemi", 87, "admin", None),
    Comes("Lin Chao", 80, "admin", "member"),
    Comes("Amara Okafor", 66, "member", "admin"),
    Comes("Jonas Weber", 52, "member", None),
    Comes("Sofia Marin", 39, None, "member"),
    Comes("Tariq Aziz", 24, "member", None),
    Comes("Mei Tanaka", 12, "member", "member"),
    Comes("Noah Lindqvist", 4, "member", None),
)


async def story(call: Call, story: Story) -> list[str]:
    """Two organizations and whoever came since: one that the demo's person owns, one where they are a member."""
    async with SystemWork(call, reason=OF_NOBODY, reading=True) as work:
        demo = await people.person_named(work, user_id=None, email_key=read_address(DEMO).key)
        told = await queries.any_org(work, org_id=None, slug=HARBOUR[1])
    if demo is None or told is not None:
        return []
    hashed = await call.runtime.passwords.hash(DEMO_PASSWORD)
    with story.days_ago(DAYS - 1):
        harbour = await _found(call, *HARBOUR, founder=(demo, DEMO))
    cove: UUID | None = None
    for one in CAST:
        with story.days_ago(one.days_ago):
            user_id = await _arrive(call, one, hashed)
        with story.days_ago(one.days_ago - 1):
            if cove is None:
                # whoever comes first founds it
                cove = await _found(call, *COVE, founder=(user_id, _address(one.name)))
                await _join(call, cove, demo, "member")
            for org, role in ((harbour, one.harbour), (cove, one.cove)):
                if role is not None:
                    await _join(call, org, user_id, role)
    return [f"{', '.join(_address(one.name) for one in CAST[:3])} and others have the same password"]


def _address(name: str) -> str:
    return f"{name.partition(' ')[0].lower()}@example.com"


async def _found(call: Call, name: str, slug: str, *, founder: tuple[UUID, str]) -> UUID:
    at = call.runtime.database.clock.now()
    user_id, email = founder
    owner = Somebody(id=user_id, name="", email=email, came_at=at, role="owner", joined_at=at)
    company = Company(new_id(), 0, name, slug, at, (owner,), ())
    async with SystemWork(call, reason=OF_NOBODY) as work:
        await actions.found_crowd(work, companies=[company])
    return company.id


async def _arrive(call: Call, one: Comes, hashed: str) -> UUID:
    async with SystemWork(call, reason=OF_NOBODY) as work:
        address = read_address(_address(one.name))
        return (await accounts.add_person(work, address=address, name=one.name, password_hash=hashed)).id


async def _join(call: Call, org_id: UUID, user_id: UUID, role: Role) -> None:
    async with SystemWork(call, reason=OF_NOBODY) as work:
        await actions.add_member(work, org_id=org_id, user_id=user_id, role=role)


async def scale(work: SystemWork, companies: Sequence[Company]) -> Mapping[str, int]:
    """The organizations of a crowd, and who belongs to them."""
    organizations, memberships = await actions.found_crowd(work, companies=companies)
    return {"organizations": organizations, "memberships": memberships}
