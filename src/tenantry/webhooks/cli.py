"""What an operator does with webhooks: looks at endpoints and deliveries, sends again, disables and enables."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.data.ids import EVENT_ID, JOB_ID, ORG_ID
from tenantry.foundation.instants import read_instant
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import SystemWork
from tenantry.webhooks import actions, queries
from tenantry.webhooks.models import ENDPOINT_ID, AnyEndpoint, Delivery, DeliveryState, Which

OPERATOR = "an operator looks after anybody's webhooks"

Endpoint = Annotated[str, Option("The webhook endpoint (`ep_...`).")]
DeliveryOption = Annotated[str, Option("The delivery, by its event (`evt_...`).")]
STATES: tuple[DeliveryState, ...] = ("pending", "delivered", "failed")
WHICH: tuple[Which, ...] = ("failed", "missed", "all")


class Shown(msgspec.Struct, frozen=True):
    """A webhook endpoint, without its secret and its headers' values."""

    endpoint: str
    org: str
    url: str
    status: str
    events: str
    header_names: str
    ordered: bool
    payload_version: date
    failing_since: datetime | None
    created_at: datetime


class Endpoints(msgspec.Struct, frozen=True):
    """Webhook endpoints, the newest first."""

    endpoints: list[Shown]


class ShownDelivery(msgspec.Struct, frozen=True):
    """A delivery, without what it says."""

    delivery: str
    type: str
    state: str
    attempts: int
    at: datetime
    next_attempt_at: datetime | None


class Deliveries(msgspec.Struct, frozen=True):
    """Deliveries, the newest first."""

    deliveries: list[ShownDelivery]


class Asked(msgspec.Struct, frozen=True):
    """The job that was asked for."""

    job: str


class Done(msgspec.Struct, frozen=True):
    """The endpoint that was meant, and whether this changed anything."""

    endpoint: str
    changed: bool


async def show_all(
    call: Call,
    *,
    org: Annotated[str | None, Option("Only those of this organization (`org_...`).")] = None,
    disabled: Annotated[bool, Option("Only those that are disabled.")] = False,
) -> Endpoints:
    """Show webhook endpoints, the newest first, a thousand at most; never a secret."""
    org_id = None if org is None else ORG_ID.read(org)
    if org is not None and org_id is None:
        raise BadUsage("--org is an id such as org_01jd4w2q8nf6v9m3x5c7b1r0kt")
    given = {"org_id": org_id, "endpoint_id": None, "disabled": disabled, "most": queries.MOST_SHOWN}
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        return Endpoints([_shown(one) for one in await queries.endpoints_of_anybody(work, **given)])


async def show(call: Call, *, endpoint: Endpoint) -> Shown:
    """Show one webhook endpoint."""
    return _shown(await _found(call, endpoint))


async def deliveries(
    call: Call,
    *,
    endpoint: Endpoint,
    state: Annotated[str | None, Option("Only `pending`, `delivered` or `failed` ones.")] = None,
    limit: Annotated[int, Option("Deliveries at most, up to 1000.")] = 50,
) -> Deliveries:
    """Show what was to be told to an endpoint and what came of it, the newest first."""
    if not 1 <= limit <= queries.MOST_SHOWN:
        raise BadUsage(f"--limit is 1 to {queries.MOST_SHOWN}")
    wanted = next((known for known in STATES if known == state), None)
    if state is not None and wanted is None:
        raise BadUsage(f"--state is one of {', '.join(STATES)}")
    found = await _found(call, endpoint)
    filters = dict.fromkeys(("type", "prefix", "since", "until", "after_key", "after_id"))
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        rows = await queries.DELIVERIES[wanted](work, org_id=found.org_id, endpoint_id=found.id, rows=limit, **filters)
    return Deliveries([_shown_delivery(one) for one in rows])


async def retry(call: Call, *, endpoint: Endpoint, delivery: DeliveryOption) -> ShownDelivery:
    """Have a delivery sent now, whatever came of it before; its schedule begins anew."""
    event_id = EVENT_ID.read(delivery)
    if event_id is None:
        raise BadUsage("--delivery is an id such as evt_01jd4w2q8nf6v9m3x5c7b1r0kt")
    found = await _found(call, endpoint)
    which = {"org_id": found.org_id, "endpoint_id": found.id, "event_id": event_id}
    async with SystemWork(call.within(found.org_id), reason=OPERATOR) as work:
        return _shown_delivery(await actions.retry_any_delivery(work, **which))


async def replay(
    call: Call,
    *,
    endpoint: Endpoint,
    since: Annotated[str, Option("From this moment on (RFC 3339).", flag="--from")],
    until: Annotated[str | None, Option("Before this moment (RFC 3339).", flag="--to")] = None,
    which: Annotated[str, Option("`failed`, `missed` or `all`.")] = "failed",
) -> Asked:
    """Have what happened in a span of time sent to an endpoint again, by a job."""
    wanted = next((known for known in WHICH if known == which), None)
    if wanted is None:
        raise BadUsage(f"--which is one of {', '.join(WHICH)}")
    begins, ends = _moment(since), None if until is None else _moment(until)
    found = await _found(call, endpoint)
    async with SystemWork(call.within(found.org_id), reason=OPERATOR) as work:
        job_id = await actions.replay_any_deliveries(
            work, org_id=found.org_id, endpoint_id=found.id, since=begins, until=ends, which=wanted
        )
    return Asked(JOB_ID.text(job_id))


async def disable(call: Call, *, endpoint: Endpoint) -> Done:
    """Send nothing to an endpoint any more; what waits for it stays."""
    found = await _found(call, endpoint)
    async with SystemWork(call.within(found.org_id), reason=OPERATOR) as work:
        changed = await actions.disable_endpoint(work, org_id=found.org_id, endpoint_id=found.id, why="asked")
    return Done(endpoint, changed)


async def enable(call: Call, *, endpoint: Endpoint) -> Done:
    """Send to an endpoint again what waited for it, and what happens."""
    found = await _found(call, endpoint)
    async with SystemWork(call.within(found.org_id), reason=OPERATOR) as work:
        changed = await actions.enable_endpoint(work, org_id=found.org_id, endpoint_id=found.id)
    return Done(endpoint, changed)


async def _found(call: Call, endpoint: str) -> AnyEndpoint:
    endpoint_id: UUID | None = ENDPOINT_ID.read(endpoint)
    if endpoint_id is None:
        raise BadUsage("--endpoint is an id such as ep_01jd4w2q8nf6v9m3x5c7b1r0kt")
    given = {"org_id": None, "endpoint_id": endpoint_id, "disabled": False, "most": 1}
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        found = await queries.endpoints_of_anybody(work, **given)
    if not found:
        raise NotFound
    return found[0]


def _moment(text: str) -> datetime:
    try:
        return read_instant(text)
    except ValueError as error:
        raise BadUsage(f"{text} is not a moment") from error


def _shown(one: AnyEndpoint) -> Shown:
    return Shown(
        endpoint=ENDPOINT_ID.text(one.id),
        org=ORG_ID.text(one.org_id),
        url=one.url,
        status="enabled" if one.disabled_at is None else f"disabled ({one.disabled_why})",
        events=", ".join(one.events) or "all",
        header_names=", ".join(one.header_names),
        ordered=one.ordered,
        payload_version=one.payload_version,
        failing_since=one.failing_since,
        created_at=one.created_at,
    )


def _shown_delivery(one: Delivery) -> ShownDelivery:
    return ShownDelivery(EVENT_ID.text(one.id), one.type, one.state, one.attempts, one.at, one.next_attempt_at)


def _unchanged(done: msgspec.Struct) -> bool:
    return isinstance(done, Done) and not done.changed


commands = (
    Command("webhooks", "list", show_all),
    Command("webhooks", "show", show),
    Command("webhooks", "deliveries", deliveries),
    Command("webhooks", "retry", retry),
    Command("webhooks", "replay", replay),
    Command("webhooks", "disable", disable, failed=_unchanged),
    Command("webhooks", "enable", enable, failed=_unchanged),
)
