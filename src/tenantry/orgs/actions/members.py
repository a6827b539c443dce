"""Who belongs to an organization in which role, and how that ends. An owner always remains: the database sees to it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe, one, run
from tenantry.foundation.events.details import Details
from tenantry.foundation.permission import HOUSE, Role, rank
from tenantry.foundation.problems import FieldError, Invalid, NotFound, VersionMismatch
from tenantry.foundation.question import Question, nothing
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.orgs import queries
from tenantry.orgs.events import MemberJoined, MemberLeft, MemberRoleChanged, OwnershipTransferred
from tenantry.orgs.models import MOST_MEMBERS, Comes, Member, Standing, Who, may_govern
from tenantry.orgs.permissions import MEMBERS_LEAVE, MEMBERS_WRITE, ORG_TRANSFER
from tenantry.orgs.problems import AboveYou, NotOwner, TooManyMembers

may_add_member: Question[[UUID, int, Comes], None] = Question(
    "may_add_member",
    "May this organization have so many more members, or invites to become one? Whoever says no raises why.",
    settle=nothing,
)

# one after the other, so that each counts the members of those before it
lock_org = run("select from tenantry.orgs where id = :org_id for no key update")
keep_member = one(
    Who,
    """
    with kept as (
        insert into tenantry.members (org_id, user_id, role)
        values (:org_id, :user_id, :role)
        returning user_id
    )
    select email, name from tenantry.users join kept on kept.user_id = users.id
    """,
)


@action(requires=HOUSE, records=MemberJoined)
async def add_member(work: SystemWork, *, org_id: UUID, user_id: UUID, role: Role, how: Comes = "added") -> None:
    """Make a person a member, if there is room for one more."""
    await lock_org(work, org_id=org_id)
    if (await queries.members_of_org(work, org_id=org_id) or 0) >= MOST_MEMBERS:
        raise TooManyMembers
    await may_add_member.ask(work, org_id, 1, how)
    who = await keep_member(work, org_id=org_id, user_id=user_id, role=role)
    details = Details(who.said(), person=user_id)
    work.record(MemberJoined(org_id=org_id, user_id=user_id, role=role), details=details)


class Gone(Who, frozen=True):
    """Who was a member, and in which role."""

    role: Role


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
    return await _promoted(work, theirs, role)


async def _governed(work: OrgWork, user_id: UUID) -> tuple[Standing, Standing]:
    """One's own standing and that of a member whom one may govern, both held until the commit."""
    own, theirs = await _standings(work, user_id)
    # whoever was demoted a moment ago governs by what they are now, and so do their keys
    if own.role not in MEMBERS_WRITE.roles or not may_govern(own.role, theirs.role):
        raise AboveYou
    return own, theirs


async def _standings(work: OrgWork, user_id: UUID) -> tuple[Standing, Standing]:
    held = {one.user_id: one for one in await queries.standings_for_update(work, user_ids=[work.person, user_id])}
    if user_id not in held or (work.person not in held and work.call.key is None):
        raise NotFound
    own = held.get(work.person)
    if own is None or (work.call.key is not None and rank(work.role) < rank(own.role)):
        # whoever made a service key may have left, and whoever it passed to may be more than bounds it
        own = Standing(work.person, work.role, 0)
    return own, held[user_id]


async def _promoted(work: OrgWork, standing: Standing, role: Role) -> Member:
    await set_role(work, user_id=standing.user_id, role=role)
    member = await queries.member(work, user_id=standing.user_id)
    changed = MemberRoleChanged(
        org_id=work.org, user_id=standing.user_id, role=role, version_after=standing.version + 1
    )
    details = Details(Who(member.email, member.name).said(), person=standing.user_id)
    work.record(changed, was={"role": standing.role}, details=details)
    return member


drop_member = maybe(
    Gone,
    """
    delete from tenantry.members
     using tenantry.users
     where members.org_id = tenantry.org()
       and members.user_id = :user_id
       and users.id = members.user_id
 returning users.email, users.name, members.role
    """,
)


def _gone(work: OrgWork, user_id: UUID, gone: Gone, why: Literal["left", "removed"]) -> None:
    details = Details(gone.said(), person=user_id)
    work.record(MemberLeft(org_id=work.org, user_id=user_id, why=why), was={"role": gone.role}, details=details)


@action(requires=MEMBERS_WRITE, records=MemberLeft)
async def remove_member(work: OrgWork, *, user_id: UUID) -> None:
    """Remove a member who is not above oneself; their next request here is refused."""
    await _governed(work, user_id)
    gone = await drop_member(work, user_id=user_id)
    if gone is None:
        raise NotFound
    _gone(work, user_id, gone, "removed")


@action(requires=MEMBERS_LEAVE, records=MemberLeft)
async def leave(work: OrgWork) -> None:
    """Leave an organization; its last owner cannot."""
    gone = await drop_member(work, user_id=work.person)
    if gone is None:
        raise NotFound
    _gone(work, work.person, gone, "left")


@action(requires=ORG_TRANSFER, records=(OwnershipTransferred, MemberRoleChanged))
async def transfer_ownership(work: OrgWork, *, user_id: UUID) -> Member:
    """Make another member owner in one's own place, and oneself an admin."""
    if user_id == work.person:
        raise Invalid(errors=(FieldError("body.user_id", "is yourself"),))
    own, theirs = await _standings(work, user_id)
    if own.role != "owner":
        raise NotOwner
    member = await _promoted(work, theirs, "owner")
    await _promoted(work, own, "admin")
    details = Details(Who(member.email, member.name).said(), person=user_id)
    work.record(OwnershipTransferred(org_id=work.org, from_user_id=work.person, to_user_id=user_id), details=details)
    return member
