"""The console's page of webhook endpoints: where the organization is told what happens, and how that goes."""

from __future__ import annotations

from typing import Literal

from tenantry.foundation.listing import ListQuery
from tenantry.foundation.pages import Values
from tenantry.foundation.work import OrgWork
from tenantry.webhooks import queries
from tenantry.webhooks.console.frame import ENDPOINTS, ONE, at, pages
from tenantry.webhooks.models import EndpointShown
from tenantry.webhooks.permissions import WEBHOOKS_READ, WEBHOOKS_WRITE

NOTICES = {"deleted": "The endpoint is deleted; nothing is sent to it any more."}


class Endpoints(ListQuery):
    """The newest first; and what was just done."""

    order: Literal["-created_at"] = "-created_at"
    done: str = ""


@pages.get(ENDPOINTS, title="Webhooks", template="webhooks", requires=WEBHOOKS_READ)
async def endpoints_page(work: OrgWork, query: Endpoints) -> Values:
    """Show the webhook endpoints of the organization."""
    found, after = await queries.endpoints.read(work, query, org_id=work.org)
    return {
        "endpoints": [{"endpoint": one, "place": at(ONE, work.org, endpoint=one.id), **standing(one)} for one in found],
        "may_write": work.may(WEBHOOKS_WRITE),
        "next": after,
        "notice": NOTICES.get(query.done),
    }


def standing(one: EndpointShown) -> Values:
    """How an endpoint stands, in a word."""
    if one.disabled_at is not None:
        return {"standing": "disabled", "tone": "grave"}
    return {"standing": "failing", "tone": "wait"} if one.failing_since else {"standing": "enabled", "tone": "good"}
