"""Fanning out: what happened becomes messages, and a delivery for each endpoint that wants to hear of it.

All of a batch is one commit with the consumer's place in the log, so nothing is told to one endpoint and forgotten for
another. The lanes are raised first, in the order in which everybody locks them, then the rest is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import many, run, value
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.log import Logged
from tenantry.foundation.events.told import version_on
from tenantry.foundation.events.versions import TooNew
from tenantry.foundation.logs import get_logger
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork, Work
from tenantry.webhooks.events import EndpointTested
from tenantry.webhooks.models import Told, Untellable, body_of, is_told, wants

ROLLED_OUT_WITHIN = 900
"""Seconds for which fanning out waits at an event that a later release wrote: it is probably being rolled out."""
log = get_logger("tenantry.webhooks")


class _Listening(msgspec.Struct, frozen=True):
    org_id: UUID
    id: UUID
    events: list[str]
    payload_version: date
    created_at: datetime


# locked, so that no endpoint is removed before what it is to be told is written
listening = many(
    _Listening,
    """
    select org_id, id, events, payload_version, created_at
      from tenantry.webhook_endpoints
     where org_id = any (:orgs::uuid[])
       and disabled_at is null
       and deleted_at is null
     order by org_id, id
       for key share
    """,
)

is_young = value(bool, "select :at::timestamptz > tenantry.now() - :within::double precision * interval '1 second'")


@action(requires=HOUSE)
async def fan_out(work: SystemWork, *, happened: Sequence[Logged]) -> int:
    """Have each endpoint told, of what happened since it was made, what it wants to hear of; says how many times."""
    await _await_release(work, happened)
    orgs = {one.org_id for one in happened if one.org_id is not None}
    ears = {org: list(found) for org, found in groupby(await listening(work, orgs=sorted(orgs)), _org_of)}
    told = [
        Told(ear.org_id, ear.id, ear.payload_version, one)
        for one in happened
        if one.org_id is not None and one.org_id in ears
        for ear in ears[one.org_id]
        if _hears(work.runtime.events[one.kind], ear, one)
    ]
    return await queue(work, told=told, again=False)


async def _await_release(work: SystemWork, happened: Sequence[Logged]) -> None:
    for one in happened:
        newest = work.runtime.events[one.kind].version
        if one.version > newest and await is_young(work, at=one.at, within=float(ROLLED_OUT_WITHIN)):
            raise TooNew(f"{one.kind} of version {one.version}, and this release knows {newest}")


def _org_of(ear: _Listening) -> UUID:
    return ear.org_id


def _hears(kind: type[Event], ear: _Listening, happened: Logged) -> bool:
    assert kind.webhook is not None
    # what is asked of one endpoint is told it alone; what else happened to an endpoint is told the others
    about = getattr(happened.event, "endpoint_id", None)
    if kind is EndpointTested:
        return about == ear.id
    return about != ear.id and ear.created_at <= happened.at and wants(ear.events, kind.webhook)


raise_lanes = run("""
    insert into tenantry.webhook_lanes as lane (org_id, endpoint_id, due_at)
    select org_id, endpoint_id, tenantry.now()
      from unnest(:orgs::uuid[], :endpoints::uuid[]) as asked (org_id, endpoint_id)
     group by org_id, endpoint_id
     order by org_id, endpoint_id
        on conflict (org_id, endpoint_id) do update set due_at = least(lane.due_at, excluded.due_at)
""")

# One that is asked for again is as if it had never been tried, but for the attempts that were made. What cannot be told
# has failed at once, and leaves one that is there already as it is.
write = run("""
    with messages as materialized (
        select *
          from unnest(:ats::timestamptz[], :orgs::uuid[], :events::uuid[], :versions::smallint[], :types::text[],
                      :requests::text[], :bodies::text[], :faults::text[])
               with ordinality as message (at, org_id, event_id, version, type, request_id, body, fault, nth)
    ), asked as materialized (
        select message.*, endpoint_id, place
          from unnest(:endpoints::uuid[], :nths::bigint[]) with ordinality as asked (endpoint_id, nth, place)
          join messages as message using (nth)
    ), told as (
        insert into tenantry.webhook_messages (at, org_id, event_id, version, type, body, request_id)
        select at, org_id, event_id, version, type, body, request_id
          from messages
         where body is not null
            on conflict do nothing
    ), put as (
        insert into tenantry.webhook_deliveries as known (at, org_id, endpoint_id, event_id, version, type, attempts,
                                                          failed_at)
        select at, org_id, endpoint_id, event_id, version, type, (fault is not null)::integer,
               case when fault is not null then tenantry.now() end
          from asked
            on conflict (org_id, endpoint_id, event_id, at) do update
           set version = excluded.version, delivered_at = null, failed_at = null
         where :again::boolean and excluded.failed_at is null
     returning org_id, endpoint_id, event_id, attempts
    ), never as (
        insert into tenantry.webhook_attempts (at, org_id, endpoint_id, event_id, number, error, took_ms)
        select tenantry.now(), org_id, endpoint_id, event_id, put.attempts, fault, 0
          from put
          join asked using (org_id, endpoint_id, event_id)
         where fault is not null
    )
    insert into tenantry.webhook_due as waiting (org_id, endpoint_id, event_id, at, version, attempts)
    select org_id, endpoint_id, event_id, at, version, put.attempts
      from put
      join asked using (org_id, endpoint_id, event_id)
     where fault is null
     order by place
        on conflict (org_id, endpoint_id, event_id) do update
       set version = excluded.version, tries = 0, due_at = excluded.due_at
     where :again::boolean
""")


class _Message(msgspec.Struct):
    nth: int
    kind: type[Event]
    version: int
    event: Logged
    body: str | None = None
    fault: str | None = None


@action(requires=HOUSE)
async def queue(work: Work, *, told: Sequence[Told], again: bool) -> int:
    """Put deliveries where they wait for the sender; those that are there already only where they are to come again."""
    told = [one for one in told if _is_known(work, one)]
    if not told:
        return 0
    messages = _messages(work, told)
    asked = [messages[one.event.public_id, version] for one, version in _versions(work, told)]
    await raise_lanes(work, orgs=[one.org_id for one in told], endpoints=[one.endpoint_id for one in told])
    queued = await write(
        work,
        **_columns(list(messages.values())),
        endpoints=[one.endpoint_id for one in told],
        nths=[message.nth for message in asked],
        again=again,
    )
    work.ring()
    return queued


def _is_known(work: Work, told: Told) -> bool:
    # what a plugin told that is not installed any more is told no more
    kind = work.runtime.events.get(told.event.kind)
    return kind is not None and is_told(kind)


def _versions(work: Work, told: Sequence[Told]) -> Iterator[tuple[Told, int]]:
    for one in told:
        yield one, version_on(work.runtime.events[one.event.kind], one.payload_version)


def _messages(work: Work, told: Sequence[Told]) -> dict[tuple[UUID, int], _Message]:
    """What is told, once for all who are told it in the same version."""
    known: dict[tuple[UUID, int], _Message] = {}
    for one, version in _versions(work, told):
        key = one.event.public_id, version
        if key not in known:
            known[key] = _rendered(_Message(len(known) + 1, work.runtime.events[one.event.kind], version, one.event))
    return known


def _rendered(message: _Message) -> _Message:
    try:
        message.body = body_of(message.kind, message.event, message.version)
    except Untellable as error:
        message.fault = str(error)
        log.error("an event cannot be told", id=str(message.event.public_id), kind=message.kind.kind, why=str(error))
    return message


def _columns(messages: Sequence[_Message]) -> dict[str, list[object]]:
    return {
        "ats": [one.event.at for one in messages],
        "orgs": [one.event.org_id for one in messages],
        "events": [one.event.public_id for one in messages],
        "versions": [one.version for one in messages],
        "types": [one.kind.webhook for one in messages],
        "requests": [one.event.request_id for one in messages],
        "bodies": [one.body for one in messages],
        "faults": [one.fault for one in messages],
    }
