"""The console's page of one webhook endpoint: what it is told, how it fares, and what was sent to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from tenantry.foundation.call import Call
from tenantry.foundation.instants import read_instant
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.pages import Receipt, SeeOther, Values
from tenantry.foundation.problems import FieldError, Invalid, NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.webhooks import actions, exchanges, queries
from tenantry.webhooks.console.endpoints import standing
from tenantry.webhooks.console.frame import (
    DELIVERY,
    ENDPOINTS,
    IDS,
    ONE,
    Lines,
    at,
    endpoint_there,
    pages,
    receipt,
    told,
    types,
)
from tenantry.webhooks.inputs import Description, EndpointUrl
from tenantry.webhooks.models import LONGEST_OVERLAP, OVERLAP, DeliveryState, Which
from tenantry.webhooks.permissions import WEBHOOKS_READ, WEBHOOKS_WRITE

STATES: tuple[DeliveryState, ...] = ("pending", "delivered", "failed")
TONES = {"pending": "wait", "delivered": "good", "failed": "grave"}
NOTICES = {
    "changed": "The endpoint is changed.",
    "tested": "A test message is on its way.",
    "replaying": "What happened since then is being sent again.",
}
HOUR = 3600


class Deliveries(ListQuery):
    """What was sent, the newest first; with a state only what is in it; and what was just done."""

    order: Literal["-id"] = "-id"
    state: DeliveryState | Literal[""] = ""
    done: str = ""


class Change(Wire):
    """All that can be changed about an endpoint here, and the version that was looked at."""

    url: EndpointUrl
    version: int
    enabled: Literal["yes", "no"]
    ordered: Literal["yes", "no"]
    events: Lines = ""
    description: Description = ""


class Overlap(Wire):
    """For how many hours the secret before signs as well."""

    hours: Annotated[int, Meta(ge=0, le=int(LONGEST_OVERLAP.total_seconds()) // HOUR)]


class Replay(Wire):
    """Since when, in UTC, and what of it."""

    since: Annotated[str, Meta(max_length=40)]
    which: Which


@pages.get(ONE, title="Webhook endpoint", template="webhook", requires=WEBHOOKS_READ, ids=IDS)
async def endpoint_page(work: OrgWork, endpoint: UUID, query: Deliveries) -> Values:
    """Show an endpoint, and what was to be told to it."""
    one = await endpoint_there(work, endpoint)
    filters = {"type": None, "prefix": None, "since": None, "until": None}
    log = queries.deliveries[query.state or None]
    found, after = await log.read(work, query, org_id=work.org, endpoint_id=endpoint, **filters)
    places = (at(DELIVERY, work.org, endpoint=endpoint, delivery=sent.id) for sent in found)
    return {
        "endpoint": one,
        "deliveries": [
            {"sent": sent, "tone": TONES[sent.state], "place": place} for sent, place in zip(found, places, strict=True)
        ],
        "types": told(work.runtime),
        "may_write": work.may(WEBHOOKS_WRITE),
        "usual_hours": int(OVERLAP.total_seconds()) // HOUR,
        "most_hours": int(LONGEST_OVERLAP.total_seconds()) // HOUR,
        "states": STATES,
        "state": query.state,
        "next": after,
        "notice": NOTICES.get(query.done),
        **standing(one),
    }


@pages.post(f"{ONE}/change", of=ONE, requires=WEBHOOKS_WRITE, ids=IDS)
async def change(call: Call, endpoint: UUID, form: Change) -> SeeOther:
    """Change where an endpoint is, what it is told and how, or whether it is enabled."""
    await exchanges.change_endpoint(
        call, endpoint_id=endpoint, version=form.version, url=form.url, events=types(form.events),
        description=form.description, ordered=form.ordered == "yes", enabled=form.enabled == "yes",
    )  # fmt: skip
    if call.actor.org is None:
        raise NotFound
    return SeeOther(at(ONE, call.actor.org, endpoint=endpoint, done="changed"))


@pages.post(f"{ONE}/rotation", of=ONE, requires=WEBHOOKS_WRITE, ids=IDS)
async def rotate(work: OrgWork, endpoint: UUID, form: Overlap) -> Receipt:
    """Give an endpoint another secret."""
    made = await actions.rotate_secret(work, endpoint_id=endpoint, overlap=timedelta(hours=form.hours))
    return receipt(work.org, made)


@pages.post(f"{ONE}/test", of=ONE, requires=WEBHOOKS_WRITE, ids=IDS)
async def try_out(work: OrgWork, endpoint: UUID) -> SeeOther:
    """Have an endpoint sent a test message."""
    await actions.try_endpoint(work, endpoint_id=endpoint)
    return SeeOther(at(ONE, work.org, endpoint=endpoint, done="tested"))


@pages.post(f"{ONE}/replay", of=ONE, requires=WEBHOOKS_WRITE, ids=IDS)
async def replay(work: OrgWork, endpoint: UUID, form: Replay) -> SeeOther:
    """Have what happened since then sent to an endpoint again."""
    try:
        since = read_instant(form.since)
    except ValueError as error:
        raise Invalid(errors=(FieldError("form.since", "is no moment such as 2026-01-02T03:04"),)) from error
    await actions.replay_deliveries(work, endpoint_id=endpoint, since=since, until=None, which=form.which)
    return SeeOther(at(ONE, work.org, endpoint=endpoint, done="replaying"))


@pages.post(f"{ONE}/deletion", of=ONE, requires=WEBHOOKS_WRITE, ids=IDS, even_restricted=True)
async def delete(work: OrgWork, endpoint: UUID) -> SeeOther:
    """Do away with an endpoint."""
    await actions.delete_endpoint(work, endpoint_id=endpoint)
    return SeeOther(at(ENDPOINTS, work.org, done="deleted"))
