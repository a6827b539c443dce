"""What happened in an organization, over HTTP: as a list, and as a stream for as long as one may read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tenantry.foundation.call import Actor
from tenantry.foundation.data.ids import API_KEY_ID, EVENT_ID, ORG_ID, USER_ID
from tenantry.foundation.events import in_org
from tenantry.foundation.events.in_org import Filters, Happened, Order
from tenantry.foundation.events.log import Position, horizon_now
from tenantry.foundation.events.outside import actor_of, data_outside, details_outside
from tenantry.foundation.instants import in_utc
from tenantry.foundation.listing import LONGEST_CURSOR, BadCursor, ListAnswer, ListQuery
from tenantry.foundation.streams import MOST_AT_ONCE, Streamed, Told
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs.http.shapes import Instant, OrgId, routes
from tenantry.orgs.permissions import EVENTS_READ

EventId = Annotated[str, Meta(pattern=f"^{EVENT_ID.start}", description="Names an event.")]
EVENT = {
    "id": "evt_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "at": "2026-01-02T03:04:05Z",
    "kind": "orgs.invite_sent",
    "version": 1,
    "org_id": "org_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "actor": {"kind": "person", "id": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt"},
    "request_id": "0199d2e8-7c1a-7000-8000-000000000000",
    "data": {
        "org_id": "org_01jd4w2q8nf6v9m3x5c7b1r0kt",
        "invite_id": "inv_01jd4w2q8nf6v9m3x5c7b1r0kt",
        "invited_by": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt",
        "role": "member",
        "generation": 0,
        "expires_at": "2026-01-09T03:04:05Z",
    },
    "details": {"email": "bob@example.com"},
}
CURSOR = "pZ0m3xq2Vt7c1b9K4w8sLhD5yRf6uGjEoTnAiQeXzMk"


class EventQuery(ListQuery):
    """In which order, the newest first unless told otherwise; of a kind, or of a domain's kinds; in a span of time."""

    order: Annotated[
        Order,
        Meta(
            description="The order of the log, which is the same for everybody: an event never comes in front of one "
            "that could be read before it. With `position`, the oldest first, `next` is never null: behind the last "
            "event it is where to ask again for what has come since, and where a stream may go on."
        ),
    ] = "-position"
    kind: (
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z][a-z0-9_]{0,40}\.([a-z][a-z0-9_]{0,60}|\*)$",
                max_length=110,
                description="A kind, such as `orgs.member_joined`, or all of a domain, as in `orgs.*`.",
            ),
        ]
        | UnsetType
    ) = UNSET
    since: Annotated[Instant, Meta(description="Not before.")] | UnsetType = msgspec.field(name="from", default=UNSET)
    until: Annotated[Instant, Meta(description="Before.")] | UnsetType = msgspec.field(name="to", default=UNSET)


class StreamQuery(Wire):
    """From where on; only what is new, unless it is said here or in `Last-Event-ID`."""

    after: (
        Annotated[
            str,
            Meta(
                max_length=LONGEST_CURSOR,
                description="The `id` that was heard last, or the `next` of the list without filters, in the order "
                "`position`.",
            ),
        ]
        | UnsetType
    ) = UNSET


class EventActor(Wire):
    """Who did it: a person, an API key, or something of the house's."""

    kind: Annotated[str, Meta(description="`person`, `api_key`, `job`, `cli` or `anonymous`, and more to come.")]
    id: Annotated[str | None, Meta(description="The person, or the API key; null for everybody else.")]


class EventView(Wire):
    """Something that happened in an organization."""

    id: EventId
    at: Annotated[Instant, Meta(description="When its transaction began.")]
    kind: Annotated[str, Meta(description="What happened; of each kind the reference has a sentence.")]
    version: Annotated[int, Meta(description="Of the kind's data.")]
    org_id: OrgId
    actor: EventActor
    request_id: str
    data: Annotated[dict[str, Any], Meta(description="What is not personal: it stays what it is.")]
    details: Annotated[
        dict[str, str | None] | None,
        Meta(description="What is personal about it; null where there is nothing, or no more."),
    ]


class EventList(ListAnswer):
    """A part of what happened. With `order=position` there is always a `next`."""

    items: list[EventView]


@routes.get("/orgs/{org}/events", requires=EVENTS_READ, answer_example={"items": [EVENT], "next": CURSOR})
async def events(work: OrgWork, query: EventQuery) -> EventList:
    """What happened in the organization, the newest first; asked for oldest first, it can be followed by polling."""
    after = None if query.after is UNSET else query.after
    found, behind = await in_org.page(work, order=query.order, after=after, rows=query.limit, filters=_filters(query))
    return EventList(items=[event_view(event) for event in found], next=behind)


@routes.get("/orgs/{org}/events/stream", requires=EVENTS_READ, problems=(BadCursor,))
async def event_stream(work: OrgWork, query: StreamQuery, last_event_id: str | None) -> Streamed[EventView]:
    """Follow what happens in the organization, as server-sent events, for as long as one may read it."""
    after = last_event_id or (None if query.after is UNSET else query.after)
    start = await horizon_now(work) if after is None else in_org.opened(work, after)
    return Streamed(work.org, work.person, in_org.sealed(work, start), _Follower(work, start).look)


class _Follower:
    """Somebody who follows: where they stand, and each time anew with their own rights."""

    def __init__(self, work: OrgWork, start: Position) -> None:
        self._call, self._org = work.call, work.org
        self.position = start

    async def look(self) -> list[Told]:
        """What came since the look before; raises what a request would be refused with."""
        async with OrgWork(self._call, self._org, reading=True) as work:
            work.require(EVENTS_READ)
            found, self.position = await in_org.read_on(work, self.position, rows=MOST_AT_ONCE)
            return [_told(work, event) for event in found]


def event_view(event: Happened) -> EventView:
    """An event as members see it."""
    actor = actor_of(event.actor)
    return EventView(
        id=EVENT_ID.text(event.id),
        at=event.at,
        kind=event.kind,
        version=event.version,
        org_id=ORG_ID.text(event.org_id),
        actor=EventActor(kind=actor.kind, id=_id_of(actor)),
        request_id=event.request_id,
        data=data_outside(event.payload),
        details=details_outside(event.details),
    )


def _id_of(actor: Actor) -> str | None:
    if actor.key is not None:
        return API_KEY_ID.text(actor.key)
    return None if actor.person is None else USER_ID.text(actor.person)


def _told(work: OrgWork, event: Happened) -> Told:
    return Told(in_org.sealed(work, event.position), event.kind, event_view(event))


def _filters(query: EventQuery) -> Filters:
    kind = None if query.kind is UNSET else query.kind
    prefix = kind.removesuffix("*") if kind is not None and kind.endswith("*") else None
    return Filters(None if prefix else kind, prefix, _instant("from", query.since), _instant("to", query.until))


def _instant(name: str, given: datetime | UnsetType) -> datetime | None:
    return None if given is UNSET else in_utc(given, f"query.{name}")
