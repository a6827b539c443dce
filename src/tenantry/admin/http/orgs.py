"""Any organization over HTTP, for operators: looking, and restricting it.

Whichever is looked at leaves a row in the audit log, with the operator's id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta

from tenantry.accounts.queries import moment as now
from tenantry.admin import actions
from tenantry.admin.http.shapes import ACME, ADA, AnyOrgId, AnyUserId, Instant, Search, instant, routes
from tenantry.admin.permissions import LOOK, RESTRICT
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.listing import ListAnswer
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.permission import Role
from tenantry.foundation.wire import Wire
from tenantry.orgs.actions import restrict_org
from tenantry.orgs.models import AnyOrg, Member

ORG = {
    "id": ACME,
    "name": "Acme",
    "slug": "acme",
    "status": "open",
    "created_at": "2026-01-02T03:04:05Z",
    "purge_at": None,
    "restricted_from": None,
    "members": 1,
}
PERSON = {
    "user_id": ADA,
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "role": "owner",
    "joined_at": "2026-01-02T03:04:05Z",
}


class OrgOfAnybody(Wire):
    """An organization, and how it stands."""

    id: AnyOrgId
    name: str
    slug: str
    status: Literal["open", "closed"]
    created_at: Instant
    purge_at: Instant | None
    restricted_from: Annotated[Instant | None, Meta(description="From when on nothing in it is changed; null: never.")]
    members: int


class Belonging(Wire):
    """Who belongs to an organization, and as what."""

    user_id: AnyUserId
    email: str
    name: str
    role: Role
    joined_at: Instant


class WholeOrg(OrgOfAnybody):
    """An organization with those who belong to it, who came first first, a thousand at most."""

    people: list[Belonging]


class OrgOfAnybodyQuery(Search):
    """Which organizations, by their name or slug: the newest first."""

    order: Literal["-created_at"] = "-created_at"


class OrgOfAnybodyList(ListAnswer):
    """A part of the list of all organizations."""

    items: list[OrgOfAnybody]


class Restricting(Wire):
    """From when on an organization is restricted; null: from now on."""

    restricted_from: Annotated[datetime, Meta(tz=True)] | None = None


@routes.get("/orgs", requires=LOOK, answer_example={"items": [ORG], "next": None})
async def any_orgs(work: OperatorWork, query: OrgOfAnybodyQuery) -> OrgOfAnybodyList:
    """Look for organizations by a part of their name or slug."""
    found, after = await actions.list_orgs(work, query=query, search=query.sought)
    return OrgOfAnybodyList(items=[OrgOfAnybody(**_fields(one)) for one in found], next=after)


@routes.get("/orgs/{org}", requires=LOOK, answer_example=ORG | {"people": [PERSON]})
async def any_org(work: OperatorWork, org: UUID) -> WholeOrg:
    """Look at one organization, how it stands, and who belongs to it."""
    found, people = await actions.look_at_org(work, org_id=org)
    return WholeOrg(**_fields(found), people=[_belonging(one) for one in people])


@routes.put("/orgs/{org}/restriction", requires=RESTRICT, example={"restricted_from": None}, answer_example=ORG)
async def restrict_any_org(work: OperatorWork, org: UUID, body: Restricting) -> OrgOfAnybody:
    """Let nothing be changed in an organization from a moment on; what it pays may decide otherwise later."""
    moment = instant(body.restricted_from, "body.restricted_from") or await now(work)
    await restrict_org(work, org_id=org, restricted_from=moment)
    return OrgOfAnybody(**_fields(await actions.org_found(work, org)))


@routes.delete("/orgs/{org}/restriction", requires=RESTRICT, answer_example=ORG)
async def unrestrict_any_org(work: OperatorWork, org: UUID) -> OrgOfAnybody:
    """Let members change things in an organization again."""
    await restrict_org(work, org_id=org, restricted_from=None)
    return OrgOfAnybody(**_fields(await actions.org_found(work, org)))


def _fields(one: AnyOrg) -> dict[str, Any]:
    return {
        "id": ORG_ID.text(one.id),
        "name": one.name,
        "slug": one.slug,
        "status": one.status,
        "created_at": one.created_at,
        "purge_at": one.purge_at,
        "restricted_from": one.restricted_from,
        "members": one.members,
    }


def _belonging(one: Member) -> Belonging:
    return Belonging(
        user_id=USER_ID.text(one.id), email=one.email, name=one.name, role=one.role, joined_at=one.joined_at
    )
