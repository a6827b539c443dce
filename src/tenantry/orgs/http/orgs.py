"""Organizations over HTTP: founding, reading and renaming."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec

from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.problems import FieldError, Invalid, VersionMismatch
from tenantry.foundation.routes import Versioned
from tenantry.foundation.text import Name
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork, PersonWork
from tenantry.orgs import actions, queries
from tenantry.orgs.http.shapes import ACME, AnySlug, OrgView, Slug, org_view, org_views, routes
from tenantry.orgs.permissions import ORG_READ, ORG_WRITE
from tenantry.orgs.problems import BadSlug, SlugTaken, TooManyOrgs


class NewOrg(Wire):
    """What the organization is called; without a slug it gets one made of its name."""

    name: Name
    slug: Slug | None = None


class OrgChange(Wire):
    """What to change; what is left out stays."""

    described: ClassVar[Mapping[str, Any]] = {"minProperties": 1}
    name: Name | msgspec.UnsetType = msgspec.UNSET
    slug: Slug | msgspec.UnsetType = msgspec.UNSET


class OrgQuery(ListQuery):
    """In which order; with a slug only the organization that has it, or had it before it got another."""

    order: Literal["name", "-created_at"] = "name"
    slug: AnySlug | msgspec.UnsetType = msgspec.UNSET


class OrgList(ListAnswer):
    """A part of the list of one's organizations."""

    items: list[OrgView]


@routes.get("/orgs", requires=ONESELF, answer_example={"items": [ACME], "next": None})
async def orgs(work: PersonWork, query: OrgQuery) -> OrgList:
    """The organizations one belongs to, closed ones too."""
    slug = None if query.slug is msgspec.UNSET else query.slug
    found, after = await queries.orgs.read(work, query, slug=slug)
    return OrgList(items=await org_views(work, found), next=after)


@routes.post(
    "/orgs",
    requires=ONESELF,
    status=201,
    problems=(SlugTaken, BadSlug, TooManyOrgs),
    example={"name": "Acme"},
    answer_example=ACME,
)
async def create_org(work: PersonWork, body: NewOrg) -> Versioned[OrgView]:
    """Found an organization, and own it."""
    org = await actions.create_org(work, name=body.name, slug=body.slug)
    return Versioned(await org_view(work, org), org.version)


@routes.get("/orgs/{org}", requires=ORG_READ, answer_example=ACME, even_closed=True)
async def org(work: OrgWork) -> Versioned[OrgView]:
    """An organization."""
    found = await queries.org(work, role=work.role)
    return Versioned(await org_view(work, found), found.version)


@routes.patch(
    "/orgs/{org}",
    requires=ORG_WRITE,
    problems=(SlugTaken, BadSlug, VersionMismatch),
    example={"name": "Acme Ltd", "slug": "acme-ltd"},
    answer_example=ACME | {"name": "Acme Ltd", "slug": "acme-ltd"},
)
async def change_org(work: OrgWork, body: OrgChange, if_match: int | None) -> Versioned[OrgView]:
    """Rename an organization; by its latest slugs it is still found."""
    given = msgspec.structs.asdict(body)
    changes = {name: content for name, content in given.items() if content is not msgspec.UNSET}
    if not changes:
        raise Invalid(errors=(FieldError("body", "needs at least one field to change"),))
    changed = await actions.change_org(work, version=if_match, **changes)
    return Versioned(await org_view(work, changed), changed.version)
