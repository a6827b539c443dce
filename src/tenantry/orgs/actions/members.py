"""Who belongs to an organization in which role, and how that ends. An owner always remains: the database sees to it."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.permission import HOUSE, Role
from tenantry.foundation.problems import FieldError, Invalid, NotFound, VersionMismatch
from tenantry.foundation.question import Question, nothing
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.orgs import queries
from tenantry.orgs.events import MemberJoined, MemberLeft, MemberRoleChanged, OwnershipTransferred
from tenantry.orgs.models import MOST_MEMBERS, Member, Standing, may_govern
from tenantry.orgs.permissions import MEMBERS_LEAVE, MEMBERS_WRITE, ORG_TRANSFER
from tenantry.orgs.problems import AboveYou, NotOwner, TooManyMembers

may_add_member: Question[[UUID, int], None] = Question(
    "may_add_member", "May this organization have so many more members? Whoever says no raises why.", settle=nothing
)

# one after the other, so that each counts the members of those before it
lock_org = run("select from tenantry.orgs where id = :org_id for no key update")
keep_member = run("insert into tenantry.members (org_id, user_id, role) values (:org_id, :user_id, :role)")


@action(requires=HOUSE, records=MemberJoined)
async def add_member(work: SystemWork, *, org_id: UUID, user_id: UUID, role: Role) -> None:
    """Make a person a member, if there is room for one more."""
    await lock_org(work, org_id=org_id)
    if (await queries.members_of_org(work, org_id=org_id) or 0) >= MOST_MEMBERS:
        raise TooManyMembers
    await may_add_member.ask(work, org_id, 1)
    await keep_member(work, org_id=org_id, user_id=user_id, role=role)
    work.record(MemberJoined(org_id=org_id, user_id=user_id, role=role))


set_role = run("""
    update tenantry.members
       set version = version + 1, role = :role
     where org_id = tenantry.org()
       and user_id = :user_id
""")


@action(requires=MEMBERS_WRITE, records=MemberRoleChanged)
async def change_role(work: OrgWork, *, user_id: UUID, role: Role, version: int | None) -> Member:
    """Give a member another role; neither the one they have nor the new one may be above one's own."""
    own, theirs = await _governed(work, user_id)
    if not may_govern(own.role, role):
        raise AboveYou
    if version not in (None, theirs.version):
        raise VersionMismatch
    await _set_role(work, theirs, role)
    return await queries.member(work, user_id=user_id)


async def _governed(work: OrgWork, user_id: UUID) -> tuple[Standing, Standing]:
    """One's own standing and that of a member whom one may govern, both held until the commit."""
    own, theirs = await _standings(work, user_id)
    # whoever was demoted a moment ago governs by what they are now
    if own.role not in MEMBERS_WRITE.roles or not may_govern(own.role, theirs.role):
        raise AboveYou
    return own, theirs


async def _standings(work: OrgWork, user_id: UUID) -> tuple[Standing, Standing]:
    held = {one.user_id: one for one in await queries.standings_for_update(work, user_ids=[work.person, user_id])}
    if work.person not in held or user_id not in held:
        raise NotFound
    return held[work.person], held[user_id]


async def _set_role(work: OrgWork, standing: Standing, role: Role) -> None:
    await set_role(work, user_id=standing.user_id, role=role)
    work.record(
        MemberRoleChanged(org_id=work.org, user_id=standing.user_id, role=role, version_after=standing.version + 1)
    )


drop_member = run("delete from tenantry.members where org_id = tenantry.org() and user_id = :user_id")


@action(requires=MEMBERS_WRITE, records=MemberLeft)
async def remove_member(work: OrgWork, *, user_id: UUID) -> None:
    """Remove a member who is not above oneself; their next request here is refused."""
    await _governed(work, user_id)
    await drop_member(work, user_id=user_id)
    work.record(MemberLeft(org_id=work.org, user_id=user_id, why="removed"))


@action(requires=MEMBERS_LEAVE, records=MemberLeft)
async def leave(work: OrgWork) -> None:
    """Leave an organization; its last owner cannot."""
    if not await drop_member(work, user_id=work.person):
        raise NotFound
    work.record(MemberLeft(org_id=work.org, user_id=work.person, why="left"))


@action(requires=ORG_TRANSFER, records=(OwnershipTransferred, MemberRoleChanged))
async def transfer_ownership(work: OrgWork, *, user_id: UUID) -> Member:
    """Make another member owner in one's own place, and oneself an admin."""
    if user_id == work.person:
        raise Invalid(errors=(FieldError("body.user_id", "is yourself"),))
    own, theirs = await _standings(work, user_id)
    if own.role != "owner":
        raise NotOwner
    await _set_role(work, theirs, "owner")
    await _set_role(work, own, "admin")
    work.record(OwnershipTransferred(org_id=work.org, from_user_id=work.person, to_user_id=user_id))
    return await queries.member(work, user_id=user_id)
