"""What the console's pages of webhooks have in common: where they are, and what their forms are asked with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from tenantry.foundation.data.ids import EVENT_ID, ORG_ID
from tenantry.foundation.pages import ConsolePages, Receipt
from tenantry.foundation.problems import NotFound
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.wire import Wire, decode_query
from tenantry.foundation.work import OrgWork
from tenantry.webhooks import actions, queries
from tenantry.webhooks.inputs import EventTypes
from tenantry.webhooks.models import ENDPOINT_ID, MOST_TYPES, EndpointShown

ENDPOINTS = "/console/orgs/{org}/webhooks"
NEW, ONE = f"{ENDPOINTS}/new", f"{ENDPOINTS}/{{endpoint}}"
DELIVERY = f"{ONE}/deliveries/{{delivery}}"
IDS = {"endpoint": ENDPOINT_ID}
Lines = Annotated[str, Meta(max_length=MOST_TYPES * 200)]

pages = ConsolePages("webhooks", Path(__file__).parent / "templates", menu={ENDPOINTS: "Webhooks"})


class _Types(Wire):
    events: EventTypes = msgspec.field(default_factory=list)


def at(path: str, org: UUID, *, endpoint: UUID | None = None, delivery: UUID | None = None, done: str = "") -> str:
    """A page of webhooks."""
    named = {} if endpoint is None else {"endpoint": ENDPOINT_ID.text(endpoint)}
    named |= {} if delivery is None else {"delivery": EVENT_ID.text(delivery)}
    return path.format(org=ORG_ID.text(org), **named) + (f"?done={done}" if done else "")


def types(lines: str) -> list[str]:
    """The types that were typed, a line each."""
    return decode_query({"events": lines.split()}, _Types, at="form").events


def told(runtime: Runtime) -> list[str]:
    """Every type that there is to be told."""
    return sorted(event.webhook for event in runtime.events.values() if event.webhook is not None)


async def endpoint_there(work: OrgWork, endpoint_id: UUID) -> EndpointShown:
    """An endpoint of the organization, else NotFound."""
    found = await queries.endpoint_if_any(work, org_id=work.org, endpoint_id=endpoint_id)
    if found is None:
        raise NotFound
    return found


def receipt(org: UUID, made: actions.NewSecret) -> Receipt:
    """The secret of an endpoint, which is shown this once."""
    place = at(ONE, org, endpoint=made.endpoint.id)
    return Receipt("webhook_secret", {"endpoint": made.endpoint, "secret": made.secret.reveal(), "place": place})
