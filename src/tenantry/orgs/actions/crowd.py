"""How the organizations of a crowd come about with their members, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.crowd import Company, Somebody
from tenantry.foundation.data.sql import many, values
from tenantry.foundation.events.details import Details
from tenantry.foundation.permission import HOUSE, Role
from tenantry.foundation.work import SystemWork
from tenantry.orgs.events import MemberJoined, OrgCreated

# without its founder, who was there on another day and is gone, there would be nobody to own it
keep_companies = values(
    UUID,
    """
    with wanted as (
        select id, name, slug, founded_at
          from unnest(:ids::uuid[], :names::text[], :slugs::text[], :founded::timestamptz[], :founders::uuid[])
               as one (id, name, slug, founded_at, founder)
         where exists (select from tenantry.users where users.id = founder)
    ), named as (
        insert into tenantry.org_slugs (slug, org_id, taken_at)
        select slug, id, founded_at from wanted
            on conflict (slug) do nothing
        returning org_id
    )
    insert into tenantry.orgs (id, name, slug, created_at, updated_at)
    select id, name, slug, founded_at, founded_at from wanted join named on org_id = id
    returning id
    """,
)


class Kept(msgspec.Struct, frozen=True):
    """Who became a member of what, in which role."""

    org_id: UUID
    user_id: UUID
    role: Role
    email: str
    name: str


# by address: whoever was there before may have come on another day, and have another id
keep_members = many(
    Kept,
    """
    with wanted as (
        select org_id, users.id as user_id, role, joined_at, users.email, users.name
          from unnest(:org_ids::uuid[], :emails::text[], :roles::text[], :joined::timestamptz[])
               as one (org_id, email_key, role, joined_at)
          join tenantry.users using (email_key)
    ), kept as (
        insert into tenantry.members (org_id, user_id, role, joined_at)
        select org_id, user_id, role, joined_at from wanted
        returning org_id, user_id, role
    )
    select org_id, user_id, kept.role, email, name
      from kept
      join wanted using (org_id, user_id)
     order by org_id, joined_at, user_id
    """,
)


@action(requires=HOUSE, records=(OrgCreated, MemberJoined))
async def found_crowd(work: SystemWork, *, companies: Sequence[Company]) -> tuple[int, int]:
    """Found these organizations, unless they are there; says how many, and with how many members."""
    founded = await _founded(work, companies)
    members = await _joined(work, [(company.id, one) for company in founded for one in company.members])
    owners = {one.org_id: one.user_id for one in members if one.role == "owner"}
    for company in founded:
        work.record(OrgCreated(org_id=company.id, user_id=owners[company.id], name=company.name, slug=company.slug))
    for one in members:
        details = Details({"email": one.email, "name": one.name}, person=one.user_id)
        work.record(MemberJoined(org_id=one.org_id, user_id=one.user_id, role=one.role), details=details)
    return len(founded), len(members)


async def _founded(work: SystemWork, companies: Sequence[Company]) -> list[Company]:
    found = set(
        await keep_companies(
            work,
            ids=[one.id for one in companies],
            names=[one.name for one in companies],
            slugs=[one.slug for one in companies],
            founded=[one.founded_at for one in companies],
            founders=[one.staff[0].id for one in companies],
        )
    )
    return [one for one in companies if one.id in found]


async def _joined(work: SystemWork, belonging: Sequence[tuple[UUID, Somebody]]) -> list[Kept]:
    return await keep_members(
        work,
        org_ids=[org_id for org_id, _ in belonging],
        emails=[one.email for _, one in belonging],
        roles=[one.role for _, one in belonging],
        joined=[one.joined_at for _, one in belonging],
    )
