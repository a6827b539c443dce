"""What organizations answer when somebody asks about a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import msgspec

from tenantry.accounts.problems import Blocker
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.data.sql import many, values
from tenantry.foundation.permission import Role
from tenantry.foundation.work import Work
from tenantry.orgs import queries
from tenantry.orgs.models import MOST_ORGS


class Owned(msgspec.Struct, frozen=True):
    """An organization by id and name."""

    id: UUID
    name: str


# whoever leaves one of them at the same moment takes the same lock, and sees the account closed
lock_owned = values(
    UUID,
    """
    select orgs.id
      from tenantry.orgs
      join tenantry.members on members.org_id = orgs.id
     where user_id = :user_id
       and role = 'owner'
       and orgs.closed_at is null
     order by orgs.id
       for no key update of orgs
    """,
)

owned_alone = many(
    Owned,
    """
    select orgs.id, orgs.name
      from tenantry.orgs
     where orgs.id = any (:org_ids)
       and not exists (select
                         from tenantry.members
                         join tenantry.users on users.id = members.user_id
                        where members.org_id = orgs.id
                          and role = 'owner'
                          and user_id <> :user_id
                          and users.closed_at is null)
     order by orgs.name, orgs.id
    """,
)


async def sole_ownerships(work: Work, user_id: UUID) -> Sequence[Blocker]:
    """The organizations that would have no owner without this person."""
    owned = await lock_owned(work, user_id=user_id)
    alone = await owned_alone(work, org_ids=owned, user_id=user_id)
    return [Blocker("sole_owner", f"You are the only owner of {org.name}.", ORG_ID.text(org.id)) for org in alone]


async def what_is_held(work: Work, user_id: UUID) -> Mapping[str, Any]:
    """The organizations a person belongs to, and those that invited them."""
    return {
        "organizations": [
            msgspec.to_builtins(membership) | {"id": ORG_ID.text(membership.id)}
            for membership in await queries.memberships(work, user_id=user_id, most=MOST_ORGS)
        ],
        "invites": await queries.invites_held(work, user_id=user_id, most=MOST_HELD),
    }


MOST_HELD = 1000
"""Invites of one person in an export, at most."""


async def role_of(work: Work, user_id: UUID, org_id: UUID) -> Role | None:
    """In which role a person belongs to an organization that is open."""
    # the table knows no other roles
    return cast(Role | None, await queries.role_in_open_org(work, org_id=org_id, user_id=user_id))
