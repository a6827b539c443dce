"""What was sent to an endpoint over HTTP: looked at with every attempt, and sent again, one or a span of time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from tenantry.foundation.data.ids import EVENT_ID, JOB_ID
from tenantry.foundation.instants import in_utc
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.problems import NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.webhooks import actions, queries
from tenantry.webhooks.http.endpoints import ENDPOINT, IDS
from tenantry.webhooks.http.shapes import DeliveryId, Instant, given, routes
from tenantry.webhooks.inputs import EventType
from tenantry.webhooks.models import Attempt, Delivery, DeliveryState, Which
from tenantry.webhooks.permissions import WEBHOOKS_READ, WEBHOOKS_WRITE
from tenantry.webhooks.problems import EndpointIsDisabled, ReplayUnderWay

DELIVERY = f"{ENDPOINT}/deliveries/{{delivery}}"
DELIVERY_IDS = IDS | {"delivery": EVENT_ID}
SHOWN: dict[str, Any] = {
    "id": "evt_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "type": "member.joined",
    "version": 1,
    "state": "pending",
    "attempts": 1,
    "at": "2026-01-02T03:04:05Z",
    "next_attempt_at": "2026-01-02T03:04:11Z",
    "ended_at": None,
}
WHOLE = SHOWN | {
    "body": '{"id":"evt_01jd4w2q8nf6v9m3x5c7b1r0kt","type":"member.joined","version":1,'
    '"timestamp":"2026-01-02T03:04:05Z","data":{}}',
    "log": [
        {
            "number": 1,
            "at": "2026-01-02T03:04:06Z",
            "status": 503,
            "error": None,
            "took_ms": 48,
            "answer": "down for maintenance",
        }
    ],
}


class DeliveryView(Wire):
    """One message for one endpoint, and what came of it."""

    id: DeliveryId
    type: str
    version: Annotated[int, Meta(description="Of the type, as this endpoint is told it.")]
    state: DeliveryState
    attempts: Annotated[int, Meta(description="How often it was sent.")]
    at: Annotated[Instant, Meta(description="When it happened.")]
    next_attempt_at: Instant | None
    ended_at: Annotated[Instant | None, Meta(description="When it arrived, or was given up.")]


class AttemptView(Wire):
    """One time that it was sent, and what came back: a status, or what kept it from arriving."""

    number: int
    at: Instant
    status: int | None
    error: str | None
    took_ms: int
    answer: Annotated[str, Meta(description="The beginning of what was answered, 1 KiB at most.")]


class WholeDelivery(DeliveryView):
    """A delivery with what is sent and every attempt, the newest first, a hundred at most."""

    body: Annotated[str | None, Meta(description="Byte by byte; null for what could not be told.")]
    log: list[AttemptView]


class DeliveryQuery(ListQuery):
    """The newest first; every filter narrows."""

    order: Literal["-id"] = "-id"
    state: DeliveryState | UnsetType = UNSET
    type: EventType | UnsetType = UNSET
    since: Annotated[Instant, Meta(description="Not before.")] | UnsetType = field(name="from", default=UNSET)
    until: Annotated[Instant, Meta(description="Before.")] | UnsetType = field(name="to", default=UNSET)


class DeliveryList(ListAnswer):
    """A part of what was to be told to an endpoint."""

    items: list[DeliveryView]


class NewReplay(Wire):
    """From when, until now unless it says otherwise; and whether what failed, was missed, or all of it."""

    since: Instant
    which: Annotated[
        Which,
        Meta(description="`failed`; `missed`: what it wants and was never told; `all`: both, and what arrived."),
    ]
    until: Instant | None = None


class ReplayAsked(Wire):
    """The job that sees to it, by which it can be followed."""

    job: Annotated[str, Meta(pattern=f"^{JOB_ID.start}", description="Names a job.")]


@routes.get(f"{ENDPOINT}/deliveries", requires=WEBHOOKS_READ, ids=IDS, answer_example={"items": [SHOWN], "next": None})
async def deliveries(work: OrgWork, endpoint: UUID, query: DeliveryQuery) -> DeliveryList:
    """What was to be told to an endpoint, and what came of it."""
    await _require_there(work, endpoint)
    filters = _filters(query)
    found, after = await queries.deliveries[given(query.state)].read(
        work, query, org_id=work.org, endpoint_id=endpoint, **filters
    )
    return DeliveryList(items=[DeliveryView(**_facts(one)) for one in found], next=after)


def _filters(query: DeliveryQuery) -> dict[str, Any]:
    type = given(query.type)
    prefix = type[:-1] if type is not None and type.endswith(".*") else None
    return {
        "type": None if prefix else type,
        "prefix": prefix,
        "since": _instant(query.since, "query.from"),
        "until": _instant(query.until, "query.to"),
    }


def _instant(moment: datetime | UnsetType | None, at: str) -> datetime | None:
    return None if moment is UNSET or moment is None else in_utc(moment, at)


@routes.get(DELIVERY, requires=WEBHOOKS_READ, ids=DELIVERY_IDS, answer_example=WHOLE)
async def delivery(work: OrgWork, endpoint: UUID, delivery: UUID) -> WholeDelivery:
    """A delivery with what is sent, and what came back each time."""
    await _require_there(work, endpoint)
    which = {"org_id": work.org, "endpoint_id": endpoint, "event_id": delivery}
    found = await queries.delivery_if_any(work, **which)
    if found is None:
        raise NotFound
    log = await queries.attempts(work, **which, most=queries.MOST_ATTEMPTS)
    return WholeDelivery(**_facts(found), body=found.body, log=[_attempt(one) for one in log])


@routes.post(
    f"{DELIVERY}/retry",
    requires=WEBHOOKS_WRITE,
    ids=DELIVERY_IDS,
    status=202,
    problems=(EndpointIsDisabled,),
    answer_example=SHOWN,
)
async def retry_delivery(work: OrgWork, endpoint: UUID, delivery: UUID) -> DeliveryView:
    """Have a delivery sent now, whatever came of it before; its schedule begins anew."""
    return DeliveryView(**_facts(await actions.retry_delivery(work, endpoint_id=endpoint, event_id=delivery)))


@routes.post(
    f"{ENDPOINT}/replay",
    requires=WEBHOOKS_WRITE,
    ids=IDS,
    status=202,
    problems=(EndpointIsDisabled, ReplayUnderWay),
    example={"since": "2026-01-02T00:00:00Z", "which": "failed"},
    answer_example={"job": "job_01jd4w2q8nf6v9m3x5c7b1r0kt"},
)
async def replay_deliveries(work: OrgWork, endpoint: UUID, body: NewReplay) -> ReplayAsked:
    """Have what happened in a span of time sent to an endpoint again, by a job that says how far it is."""
    since, until = in_utc(body.since, "body.since"), _instant(body.until, "body.until")
    asked = actions.replay_deliveries(work, endpoint_id=endpoint, since=since, until=until, which=body.which)
    return ReplayAsked(job=JOB_ID.text(await asked))


async def _require_there(work: OrgWork, endpoint: UUID) -> None:
    if await queries.endpoint_if_any(work, org_id=work.org, endpoint_id=endpoint) is None:
        raise NotFound


def _facts(one: Delivery) -> dict[str, Any]:
    return {
        "id": EVENT_ID.text(one.id),
        "type": one.type,
        "version": one.version,
        "state": one.state,
        "attempts": one.attempts,
        "at": one.at,
        "next_attempt_at": one.next_attempt_at,
        "ended_at": one.delivered_at or one.failed_at,
    }


def _attempt(one: Attempt) -> AttemptView:
    return AttemptView(
        number=one.number, at=one.at, status=one.status, error=one.error, took_ms=one.took_ms, answer=one.answer
    )
