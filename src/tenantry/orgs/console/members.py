"""The console's page of members: who belongs to the organization, in which role, and how that changes."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import Role, rank
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs import actions, queries
from tenantry.orgs.console.frame import MEMBERS, at, pages
from tenantry.orgs.models import Member
from tenantry.orgs.permissions import MEMBERS_INVITE, MEMBERS_LEAVE, MEMBERS_READ, MEMBERS_WRITE, ORG_TRANSFER

ONE = f"{MEMBERS}/{{user}}"
NOTICES = {
    "changed": "The role is changed.",
    "removed": "The member is removed.",
    "handed": "The organization has another owner now; you are an admin.",
}


class Members(ListQuery):
    """Who joined first comes first; and what was just done."""

    order: Literal["joined_at"] = "joined_at"
    done: str = ""


class RoleChange(Wire):
    """The role to have from now on, and the version of the membership that was looked at."""

    role: Role
    version: int


@pages.get(MEMBERS, title="Members", template="members", requires=MEMBERS_READ)
async def members_page(work: OrgWork, query: Members) -> Values:
    """Show who belongs to the organization."""
    found, after = await queries.members.read(work, query)
    return {
        "members": [_shown(work, member) for member in found],
        "may_invite": work.may(MEMBERS_INVITE),
        "may_hand": work.may(ORG_TRANSFER),
        "next": after,
        "notice": NOTICES.get(query.done),
    }


@pages.post(f"{ONE}/role", of=MEMBERS, requires=MEMBERS_WRITE, ids={"user": USER_ID})
async def change_role(work: OrgWork, user: UUID, form: RoleChange) -> SeeOther:
    """Give a member another role."""
    await actions.change_role(work, user_id=user, role=form.role, version=form.version)
    return SeeOther(at(MEMBERS, work.org, done="changed"))


@pages.post(f"{ONE}/removal", of=MEMBERS, requires=MEMBERS_WRITE, ids={"user": USER_ID}, even_restricted=True)
async def remove_member(work: OrgWork, user: UUID) -> SeeOther:
    """Remove a member."""
    await actions.remove_member(work, user_id=user)
    return SeeOther(at(MEMBERS, work.org, done="removed"))


@pages.post(f"{ONE}/ownership", of=MEMBERS, requires=ORG_TRANSFER, ids={"user": USER_ID}, even_restricted=True)
async def transfer_ownership(work: OrgWork, user: UUID) -> SeeOther:
    """Make a member owner in one's own place."""
    await actions.transfer_ownership(work, user_id=user)
    return SeeOther(at(MEMBERS, work.org, done="handed"))


@pages.post(f"{MEMBERS}/leaving", of=MEMBERS, requires=MEMBERS_LEAVE, even_restricted=True)
async def leave(work: OrgWork) -> SeeOther:
    """Leave the organization."""
    await actions.leave(work)
    return SeeOther("/console")


def _shown(work: OrgWork, member: Member) -> Values:
    oneself = member.id == work.person
    governed = work.may(MEMBERS_WRITE) and rank(member.role) <= rank(work.role)
    return {
        "id": USER_ID.text(member.id),
        "member": member,
        "oneself": oneself,
        "roles": [role for role in ("member", "admin", "owner") if rank(role) <= rank(work.role)] if governed else [],
    }
