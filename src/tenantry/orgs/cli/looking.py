"""What the command line does with organizations: looking at anybody's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from tenantry.foundation.call import Call
from tenantry.foundation.command import Command, Option
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import SystemWork
from tenantry.orgs import queries
from tenantry.orgs.models import AnyOrg

OPERATOR = "an operator looks after anybody's organization"
MOST_SHOWN = 1000


class Shown(msgspec.Struct, frozen=True):
    """An organization, and how it stands."""

    org: str
    name: str
    slug: str
    status: str
    created_at: datetime
    purge_at: datetime | None
    restricted_from: datetime | None
    members: int


class Orgs(msgspec.Struct, frozen=True):
    """Organizations, the newest first."""

    orgs: list[Shown]


class Belonging(msgspec.Struct, frozen=True):
    """Who belongs to an organization, and as what."""

    user: str
    email: str
    name: str
    role: str
    joined_at: datetime


class Whole(Shown, frozen=True):
    """An organization with those who belong to it, who came first first, a thousand at most."""

    people: list[Belonging]


async def show_orgs(
    call: Call, *, search: Annotated[str | None, Option("Only those with this in their name or slug.")] = None
) -> Orgs:
    """Show organizations, the newest first, a thousand at most."""
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        found = await queries.orgs_of_anybody(work, search=search, most=MOST_SHOWN)
    return Orgs([_shown(one) for one in found])


async def show_org(
    call: Call, *, org: Annotated[str, Option("Id or slug of the organization; a slug of before counts.")]
) -> Whole:
    """Show one organization, how it stands, and who belongs to it."""
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        found = await queries.any_org(work, org_id=ORG_ID.read(org), slug=org)
        if found is None:
            raise NotFound("There is no such organization.")
        people = await queries.members_of_any_org(work, org_id=found.id, most=MOST_SHOWN)
    belonging = [Belonging(USER_ID.text(one.id), one.email, one.name, one.role, one.joined_at) for one in people]
    return Whole(**msgspec.structs.asdict(_shown(found)), people=belonging)


def _shown(one: AnyOrg) -> Shown:
    status = "closed" if one.closed_at else "open"
    return Shown(
        ORG_ID.text(one.id), one.name, one.slug, status, one.created_at, one.purge_at, one.restricted_from, one.members
    )


commands = (Command("orgs", "list", show_orgs), Command("orgs", "show", show_org))
