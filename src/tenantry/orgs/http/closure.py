"""Closing an organization over HTTP, and opening it again."""

from __future__ import annotations

from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs import actions
from tenantry.orgs.http.shapes import ACME, AnySlug, OrgView, org_view, routes
from tenantry.orgs.permissions import ORG_CLOSE
from tenantry.orgs.problems import NotOwner, OrgClosureBlocked, OrgNotClosed, PurgeBegun, WrongSlug

EXAMPLE = {"slug": "acme"}


class OwnSlug(Wire):
    """The organization's present slug, typed once more."""

    slug: AnySlug


@routes.post(
    "/orgs/{org}/closure",
    requires=ORG_CLOSE,
    problems=(WrongSlug, OrgClosureBlocked, NotOwner),
    example=EXAMPLE,
    answer_example=ACME | {"closes_at": "2026-02-01T03:04:05Z"},
    even_restricted=True,
)
async def close_org(work: OrgWork, body: OwnSlug) -> OrgView:
    """Close the organization for everybody in it; at `closes_at` everything about it is purged."""
    return await org_view(work, await actions.close_org(work, slug=body.slug))


@routes.delete(
    "/orgs/{org}/closure",
    requires=ORG_CLOSE,
    problems=(WrongSlug, OrgNotClosed, PurgeBegun, NotOwner),
    example=EXAMPLE,
    answer_example=ACME,
    even_closed=True,
    even_restricted=True,
)
async def reopen_org(work: OrgWork, body: OwnSlug) -> OrgView:
    """Open the closed organization again, while its purge has not begun."""
    return await org_view(work, await actions.reopen_org(work, slug=body.slug))
