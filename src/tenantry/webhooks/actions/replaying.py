"""Replaying: what happened in a span of time is sent to an endpoint again, page by page by a job.

A page is a commit. A job that dies begins anew: what it had put where it waits is put there again, and does no harm
but that an endpoint may be told twice, by one id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import many, maybe, one, run, values
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.log import Logged, Position, read_span
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.work import OrgWork, SystemWork, Work
from tenantry.webhooks.actions.fanning import queue, raise_lanes
from tenantry.webhooks.actions.retention import kept_days
from tenantry.webhooks.actions.standing import hold_lane, require_enabled
from tenantry.webhooks.events import DeliveriesReplayed, EndpointTested
from tenantry.webhooks.models import DeliveryState, Replay, Told, Which, wants
from tenantry.webhooks.permissions import WEBHOOKS_WRITE
from tenantry.webhooks.problems import ReplayUnderWay

REPLAY = "webhooks.replay"
"""The job's kind."""


class _Span(msgspec.Struct, frozen=True):
    now: datetime
    earliest: datetime
    under_way: bool


# the lane is held: of two who ask at once the second finds the job of the first
span_possible = one(
    _Span,
    """
    select tenantry.now() as now, tenantry.now() - :days::integer * interval '1 day' as earliest,
           exists (select
                     from tenantry.webhook_lanes as lane
                     join tenantry.job_reports as report on report.id = lane.replay_id
                    where lane.org_id = :org_id
                      and endpoint_id = :endpoint_id
                      and state in ('waiting', 'running')) as under_way
    """,
    not_null=("now", "earliest", "under_way"),
)
remember_job = run("""
    update tenantry.webhook_lanes
       set replay_id = :job_id, paused_until = null
     where org_id = :org_id
       and endpoint_id = :endpoint_id
""")


@action(requires=WEBHOOKS_WRITE, records=DeliveriesReplayed)
async def replay_deliveries(
    work: OrgWork, *, endpoint_id: UUID, since: datetime, until: datetime | None, which: Which
) -> UUID:
    """Have what happened in a span of time sent to an endpoint again; the answer is the job's id."""
    return await _replay(work, work.org, endpoint_id, since=since, until=until, which=which)


@action(requires=HOUSE, records=DeliveriesReplayed)
async def replay_any_deliveries(
    work: SystemWork, *, org_id: UUID, endpoint_id: UUID, since: datetime, until: datetime | None, which: Which
) -> UUID:
    """Have what happened in any organization sent to an endpoint of it again, as its members can."""
    return await _replay(work, org_id, endpoint_id, since=since, until=until, which=which)


async def _replay(
    work: Work, org_id: UUID, endpoint_id: UUID, *, since: datetime, until: datetime | None, which: Which
) -> UUID:
    await hold_lane(work, org_id=org_id, endpoint_id=endpoint_id)
    await require_enabled(work, org_id, endpoint_id)
    days = (await kept_days(work, [org_id]))[org_id]
    possible = await span_possible(work, org_id=org_id, endpoint_id=endpoint_id, days=days)
    if possible.under_way:
        raise ReplayUnderWay
    ends = possible.now if until is None else min(until, possible.now)
    _check_span(since, ends, possible.earliest, days)
    asked = Replay(org_id, endpoint_id, since, ends, which)
    job_id = work.enqueue(NewJob.of(REPLAY, asked, key=str(endpoint_id), tracked=True))
    await remember_job(work, org_id=org_id, endpoint_id=endpoint_id, job_id=job_id)
    work.record(DeliveriesReplayed(org_id=org_id, endpoint_id=endpoint_id, starts_at=since, ends_at=ends, which=which))
    return job_id


def _check_span(since: datetime, until: datetime, earliest: datetime, days: int) -> None:
    if since >= until:
        raise Invalid(errors=(FieldError("body.since", "is not before the end of the span"),))
    if since < earliest:
        raise Invalid(errors=(FieldError("body.since", f"is more than {days} days ago, and no more is kept"),))


# what failed waits nowhere, so that all of it is new there
put_failed = values(
    UUID,
    """
    with found as materialized (
        select org_id, endpoint_id, event_id, at, version, attempts
          from tenantry.webhook_deliveries
         where org_id = :org_id
           and endpoint_id = :endpoint_id
           and failed_at is not null
           and at >= :since
           and at < :until
           and event_id > :after
         order by event_id
         limit :most
    ), put as (
        insert into tenantry.webhook_due (org_id, endpoint_id, event_id, at, version, attempts)
        select *
          from found
         order by event_id
            on conflict (org_id, endpoint_id, event_id) do update set tries = 0, due_at = tenantry.now()
    ), anew as (
        update tenantry.webhook_deliveries as delivery
           set failed_at = null
          from found
         where delivery.org_id = found.org_id and delivery.endpoint_id = found.endpoint_id
           and delivery.event_id = found.event_id and delivery.at = found.at
    )
    select event_id from found order by event_id
    """,
)


@action(requires=HOUSE)
async def replay_failed(work: SystemWork, *, asked: Replay, after: UUID, most: int) -> Sequence[UUID]:
    """Have a page of what failed sent again; which, oldest first, none of an endpoint that is not enabled any more."""
    org_id, endpoint_id = asked.org_id, asked.endpoint_id
    if await ear(work, org_id=org_id, endpoint_id=endpoint_id) is None:
        return []
    span = {"since": asked.since, "until": asked.until, "after": after, "most": most}
    found = await put_failed(work, org_id=org_id, endpoint_id=endpoint_id, **span)
    if found:
        await raise_lanes(work, orgs=[org_id], endpoints=[endpoint_id])
        work.ring()
    return found


class _Ear(msgspec.Struct, frozen=True):
    events: list[str]
    payload_version: date


# locked, so that it is not removed before what it is to be told is written
ear = maybe(
    _Ear,
    """
    select events, payload_version
      from tenantry.webhook_endpoints
     where org_id = :org_id
       and id = :endpoint_id
       and disabled_at is null
       and deleted_at is null
       for key share
    """,
)


class _Known(msgspec.Struct, frozen=True):
    event_id: UUID
    state: DeliveryState


known = many(
    _Known,
    """
    select event_id, case when delivered_at is not null then 'delivered'
                          when failed_at is not null then 'failed'
                          else 'pending' end as state
      from tenantry.webhook_deliveries
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and event_id = any (:events::uuid[])
    """,
    not_null=("state",),
)


class Replayed(msgspec.Struct, frozen=True):
    """A page of a replay: where it ended, None where there is nothing more, and how many deliveries were put."""

    reached: Position | None
    queued: int = 0


@action(requires=HOUSE)
async def replay_happened(work: SystemWork, *, asked: Replay, after: Position, most: int) -> Replayed:
    """Have a page of what happened sent, to an endpoint that wants it and never got it, or whatever it got as well."""
    told, org_id, endpoint_id = work.runtime.events, asked.org_id, asked.endpoint_id
    wanting = await ear(work, org_id=org_id, endpoint_id=endpoint_id)
    if wanting is None:
        return Replayed(None)
    kinds = [kind.kind for kind in told.values() if kind.webhook is not None]
    page = await read_span(work, after, most, kinds=kinds, org=org_id, since=asked.since, until=asked.until)
    ids = [one.public_id for one in page.events]
    states = {one.event_id: one.state for one in await known(work, org_id=org_id, endpoint_id=endpoint_id, events=ids)}
    again = [
        Told(org_id, endpoint_id, wanting.payload_version, one)
        for one in _chosen(asked, page.events, states, wanting, told)
    ]
    queued = await queue(work, told=again, again=asked.which == "all")
    return Replayed(page.reached if page.more else None, queued)


def _chosen(
    asked: Replay,
    happened: Sequence[Logged],
    states: Mapping[UUID, DeliveryState],
    wanting: _Ear,
    kinds: Mapping[str, type[Event]],
) -> Iterator[Logged]:
    for event in happened:
        state, kind = states.get(event.public_id), kinds[event.kind]
        if state is None:
            # what is asked of one endpoint is told it alone, and what happened to it the others
            about = getattr(event.event, "endpoint_id", None)
            if kind is not EndpointTested and about != asked.endpoint_id and wants(wanting.events, kind.webhook or ""):
                yield event
        elif state != "pending" and asked.which == "all":
            yield event
