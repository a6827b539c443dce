"""Members over HTTP: who belongs to an organization, in which role, and how that ends."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.permission import Role
from tenantry.foundation.problems import FieldError, Invalid, NotFound, VersionMismatch
from tenantry.foundation.routes import Versioned
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs import actions, queries
from tenantry.orgs.http.shapes import BOB, MemberView, UserId, member_view, routes
from tenantry.orgs.permissions import MEMBERS_LEAVE, MEMBERS_READ, MEMBERS_WRITE, ORG_TRANSFER
from tenantry.orgs.problems import AboveYou, LastOwner, NotOwner


class MemberQuery(ListQuery):
    """In which order: who joined first, or last."""

    order: Literal["joined_at", "-joined_at"] = "joined_at"


class MemberList(ListAnswer):
    """A part of the list of members."""

    items: list[MemberView]


class RoleChange(Wire):
    """The role to have from now on."""

    role: Role


class Successor(Wire):
    """The member who is to be owner in one's own place."""

    user_id: UserId


@routes.get("/orgs/{org}/members", requires=MEMBERS_READ, answer_example={"items": [BOB], "next": None})
async def members(work: OrgWork, query: MemberQuery) -> MemberList:
    """Who belongs to the organization."""
    found, after = await queries.members.read(work, query)
    return MemberList(items=[member_view(member) for member in found], next=after)


@routes.delete(
    "/orgs/{org}/members/me", requires=MEMBERS_LEAVE, status=204, problems=(LastOwner,), even_restricted=True
)
async def leave(work: OrgWork) -> None:
    """Leave the organization; its last owner cannot."""
    await actions.leave(work)


@routes.get("/orgs/{org}/members/{user}", requires=MEMBERS_READ, ids={"user": USER_ID}, answer_example=BOB)
async def member(work: OrgWork, user: UUID) -> Versioned[MemberView]:
    """A member; the `ETag` is what changing the role asks for."""
    found = await queries.member_if_any(work, user_id=user)
    if found is None:
        raise NotFound
    return Versioned(member_view(found), found.version)


@routes.patch(
    "/orgs/{org}/members/{user}",
    requires=MEMBERS_WRITE,
    ids={"user": USER_ID},
    needs_match=True,
    problems=(AboveYou, LastOwner, VersionMismatch),
    example={"role": "admin"},
    answer_example=BOB,
)
async def change_role(work: OrgWork, user: UUID, body: RoleChange, if_match: int | None) -> Versioned[MemberView]:
    """Give a member another role; nobody reaches above their own."""
    changed = await actions.change_role(work, user_id=user, role=body.role, version=if_match)
    return Versioned(member_view(changed), changed.version)


@routes.delete(
    "/orgs/{org}/members/{user}",
    requires=MEMBERS_WRITE,
    ids={"user": USER_ID},
    status=204,
    problems=(AboveYou, LastOwner),
    even_restricted=True,
)
async def remove_member(work: OrgWork, user: UUID) -> None:
    """Remove a member; their next request here is refused, whatever token it carries."""
    await actions.remove_member(work, user_id=user)


@routes.post(
    "/orgs/{org}/ownership-transfer",
    requires=ORG_TRANSFER,
    problems=(NotOwner,),
    example={"user_id": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt"},
    answer_example=BOB | {"role": "owner"},
    even_restricted=True,
)
async def transfer_ownership(work: OrgWork, body: Successor) -> MemberView:
    """Make another member owner in one's own place; oneself is an admin since."""
    user_id = USER_ID.read(body.user_id)
    if user_id is None:
        raise Invalid(errors=(FieldError("body.user_id", "is not the id of a person"),))
    return member_view(await actions.transfer_ownership(work, user_id=user_id))
