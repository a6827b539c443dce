"""What the operations of organizations have in common: the routes they are declared in, views and examples."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.permission import Role
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import Work
from tenantry.orgs import actions
from tenantry.orgs.models import Member, Org

routes = Routes("orgs")

OrgId = Annotated[str, Meta(pattern=f"^{ORG_ID.start}", description="Names an organization.")]
UserId = Annotated[str, Meta(pattern=f"^{USER_ID.start}", description="Names a person.")]
Slug = Annotated[
    str,
    Meta(
        max_length=40,
        description="3 to 40 small letters, digits and single dashes.",
        extra_json_schema={"minLength": 3, "pattern": "^[a-z0-9](-?[a-z0-9]){2,39}$"},
    ),
]
AnySlug = Annotated[str, Meta(max_length=40, description="A slug as somebody typed it; any text may be asked about.")]
Instant = Annotated[datetime, Meta(tz=True)]
ACME = {
    "id": "org_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "name": "Acme",
    "slug": "acme",
    "plan": None,
    "role": "owner",
    "created_at": "2026-01-02T03:04:05Z",
    "closes_at": None,
    "restricted_from": None,
}
BOB = {
    "user_id": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "email": "bob@example.com",
    "name": "Bob",
    "role": "admin",
    "joined_at": "2026-01-03T03:04:05Z",
}


class OrgView(Wire):
    """An organization, as one of its members sees it; `role` is their own."""

    id: OrgId
    name: str
    slug: str
    plan: Annotated[str | None, Meta(description="The key of its plan; null where there are no plans.")]
    role: Role
    created_at: Instant
    closes_at: Annotated[Instant | None, Meta(description="When it is purged; null for an open one.")]
    restricted_from: Annotated[
        Instant | None,
        Meta(description="From when on everything in it can be read and nothing changed, unless it is paid; or null."),
    ]


class MemberView(Wire):
    """A person in an organization."""

    user_id: UserId
    email: str
    name: str
    role: Role
    joined_at: Instant


async def org_views(work: Work, orgs: Iterable[Org]) -> list[OrgView]:
    shown = list(orgs)
    plans = await actions.plans_of.ask(work, [org.id for org in shown])
    return [
        OrgView(
            id=ORG_ID.text(org.id),
            name=org.name,
            slug=org.slug,
            plan=plans.get(org.id),
            role=org.role,
            created_at=org.created_at,
            closes_at=org.purge_at,
            restricted_from=org.restricted_from,
        )
        for org in shown
    ]


async def org_view(work: Work, org: Org) -> OrgView:
    [view] = await org_views(work, [org])
    return view


def member_view(member: Member) -> MemberView:
    return MemberView(
        user_id=USER_ID.text(member.id),
        email=member.email,
        name=member.name,
        role=member.role,
        joined_at=member.joined_at,
    )
