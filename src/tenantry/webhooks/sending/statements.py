"""What a turn says to the database: results, lanes taken, kept and let go, and what is due in them.

`due_at` and pauses follow `tenantry.now()`, which a test clock may move; a lease follows `tenantry.tick()`, which
nothing moves. A lane's `hold` is its fence: whoever slept past the end of its lease finds another number there, and
what it wanted to write is left out.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.database import system_context
from tenantry.foundation.data.sql import many, run, value, values
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

# tables that grow and shrink too fast for statistics, as those of the queue
_PLANS = "set local enable_seqscan=off;set local enable_bitmapscan=off;set local jit=off"


class TurnWork(SystemWork):
    """One turn of a sender."""

    __slots__ = ()

    def __init__(self, runtime: Runtime, *, reading: bool = False) -> None:
        call = Call(runtime, Actor("house", name="webhooks"), "webhooks")
        super().__init__(call, reason="lanes are of all", reading=reading)

    def context(self) -> str:
        return f"{system_context()};{_PLANS}"


class LookWork(TurnWork):
    """The one statement of a sender that has nothing to do; it brings its own plan."""

    __slots__ = ()

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime, reading=True)

    def context(self) -> str:
        return system_context()


class Taken(msgspec.Struct, frozen=True):
    """A lane that is held from now on."""

    org_id: UUID
    endpoint_id: UUID
    hold: int
    failures: int


take = many(
    Taken,
    """
    with free as (
        select org_id, endpoint_id
          from tenantry.webhook_lanes
         where due_at is not null
           and greatest(due_at, paused_until) <= tenantry.now()
           and coalesce(held_until < tenantry.tick(), true)
         order by greatest(due_at, paused_until)
         limit :most
           for update skip locked
    )
    update tenantry.webhook_lanes as lane
       set holder = :holder, hold = hold + 1,
           held_until = tenantry.tick() + :lease::double precision * interval '1 second'
      from free
     where lane.org_id = free.org_id and lane.endpoint_id = free.endpoint_id
    returning lane.org_id, lane.endpoint_id, lane.hold, lane.failures
    """,
)


keep = values(
    UUID,
    """
    update tenantry.webhook_lanes as lane
       set held_until = tenantry.tick() + :lease::double precision * interval '1 second'
      from unnest(:orgs::uuid[], :endpoints::uuid[], :holds::bigint[]) as mine (org_id, endpoint_id, hold)
     where lane.org_id = mine.org_id and lane.endpoint_id = mine.endpoint_id and lane.hold = mine.hold
    returning lane.endpoint_id
    """,
)


class Due(msgspec.Struct, frozen=True):
    """A delivery to be attempted now; without a body where what it was to tell is gone."""

    org_id: UUID
    endpoint_id: UUID
    event_id: UUID
    at: datetime
    tries: int
    attempts: int
    endpoint_version: int
    request_id: str | None
    body: str | None


# what flies already still stands in the table, and is left out
fetch = many(
    Due,
    """
    select due.org_id, due.endpoint_id, due.event_id, due.at, due.tries, due.attempts,
           endpoint.version as endpoint_version, message.request_id, message.body
      from unnest(:orgs::uuid[], :endpoints::uuid[], :rooms::integer[]) as lane (org_id, endpoint_id, room)
      join tenantry.webhook_endpoints as endpoint
        on endpoint.org_id = lane.org_id and endpoint.id = lane.endpoint_id
       and endpoint.disabled_at is null and endpoint.deleted_at is null
     cross join lateral (
           select webhook_due.*
             from tenantry.webhook_due
            where webhook_due.org_id = lane.org_id and webhook_due.endpoint_id = lane.endpoint_id
              and webhook_due.due_at <= tenantry.now()
              and (webhook_due.endpoint_id, webhook_due.event_id)
                  not in (select * from unnest(:busy_endpoints::uuid[], :busy_events::uuid[]))
            order by webhook_due.due_at, webhook_due.seq
            limit lane.room) as due
      left join tenantry.webhook_messages as message
        on message.org_id = due.org_id and message.event_id = due.event_id and message.version = due.version
       and message.at = due.at
    """,
)


class Facts(msgspec.Struct, frozen=True):
    """Where to send, and by which secrets; the newest of those first."""

    org_id: UUID
    endpoint_id: UUID
    version: int
    url: str
    ordered: bool
    sealed_headers: bytes | None
    secret_ids: list[UUID]
    sealed_secrets: list[bytes]


facts = many(
    Facts,
    """
    select endpoint.org_id, endpoint.id as endpoint_id, endpoint.version, endpoint.url, endpoint.ordered,
           endpoint.sealed_headers, array_agg(secret.id order by secret.created_at desc) as secret_ids,
           array_agg(secret.sealed_secret order by secret.created_at desc) as sealed_secrets
      from unnest(:orgs::uuid[], :endpoints::uuid[]) as lane (org_id, endpoint_id)
      join tenantry.webhook_endpoints as endpoint
        on endpoint.org_id = lane.org_id and endpoint.id = lane.endpoint_id
      join tenantry.webhook_secrets as secret
        on secret.org_id = endpoint.org_id and secret.endpoint_id = endpoint.id
       and coalesce(secret.ends_at > tenantry.now(), true)
     group by endpoint.org_id, endpoint.id
    """,
    not_null=("secret_ids", "sealed_secrets"),
)

# `fate` is what became of the delivery. One without a wait stays where it is, because its lane waits; one that was
# asked for anew meanwhile is due when that says.
record = value(
    int,
    """
    with held as (
        select lane.org_id, lane.endpoint_id
          from unnest(:orgs::uuid[], :endpoints::uuid[], :holds::bigint[]) as mine (org_id, endpoint_id, hold)
          join tenantry.webhook_lanes as lane
            on lane.org_id = mine.org_id and lane.endpoint_id = mine.endpoint_id and lane.hold = mine.hold
           for key share of lane
    ), ended as (
        select one.*
          from unnest(:r_orgs::uuid[], :r_endpoints::uuid[], :r_events::uuid[], :r_ats::timestamptz[],
                      :r_begun::timestamptz[], :r_numbers::integer[], :r_tries::smallint[], :r_statuses::smallint[],
                      :r_errors::text[], :r_took::integer[], :r_answers::text[], :r_fates::text[],
                      :r_waits::double precision[])
               as one (org_id, endpoint_id, event_id, at, begun_at, number, tries, status, error, took_ms, answer,
                       fate, wait)
          join held on held.org_id = one.org_id and held.endpoint_id = one.endpoint_id
    ), noted as (
        insert into tenantry.webhook_attempts (at, org_id, endpoint_id, event_id, number, status, error, took_ms,
                                               answer)
        select begun_at, org_id, endpoint_id, event_id, number, status, error, took_ms, answer
          from ended
            on conflict do nothing
    ), gone as (
        delete from tenantry.webhook_due as due
         using ended
         where due.org_id = ended.org_id and due.endpoint_id = ended.endpoint_id and due.event_id = ended.event_id
           and (ended.fate = 'delivered' or ended.fate = 'failed' and due.tries = ended.tries)
        returning due.endpoint_id, due.event_id
    ), later as (
        update tenantry.webhook_due as due
           set attempts = ended.number,
               tries = case when due.tries = ended.tries then ended.tries + 1 else due.tries end,
               due_at = case when due.tries = ended.tries and ended.wait is not null
                             then tenantry.now() + ended.wait * interval '1 second' else due.due_at end
          from ended
         where due.org_id = ended.org_id and due.endpoint_id = ended.endpoint_id and due.event_id = ended.event_id
           and (ended.fate = 'later' or ended.fate = 'failed' and due.tries <> ended.tries)
    ), told as (
        update tenantry.webhook_deliveries as delivery
           set attempts = ended.number,
               delivered_at = case when ended.fate = 'delivered' then tenantry.now() end,
               failed_at = case when ended.fate = 'failed' then tenantry.now() end
          from ended
          left join gone on gone.endpoint_id = ended.endpoint_id and gone.event_id = ended.event_id
         where delivery.org_id = ended.org_id and delivery.endpoint_id = ended.endpoint_id
           and delivery.event_id = ended.event_id and delivery.at = ended.at
           and (ended.fate = 'delivered' or ended.fate = 'failed' and gone.event_id is not null)
    )
    select count(*) from ended
    """,
)


class Failing(msgspec.Struct, frozen=True):
    """An endpoint that has only failed for too long."""

    org_id: UUID
    endpoint_id: UUID


# how an endpoint fares: a pause begins now, and what failed first since anything arrived stays the first
fare = many(
    Failing,
    """
    with changed as (
        update tenantry.webhook_lanes as lane
           set failures = one.failures,
               failing_since = case when one.failures > 0 then coalesce(lane.failing_since, tenantry.now()) end,
               paused_until = case when one.quiet is not null
                                   then tenantry.now() + one.quiet * interval '1 second' end
          from unnest(:orgs::uuid[], :endpoints::uuid[], :holds::bigint[], :failures::integer[],
                      :quiets::double precision[]) as one (org_id, endpoint_id, hold, failures, quiet)
         where lane.org_id = one.org_id and lane.endpoint_id = one.endpoint_id and lane.hold = one.hold
        returning lane.org_id, lane.endpoint_id, lane.failing_since
    )
    select org_id, endpoint_id
      from changed
     where failing_since <= tenantry.now() - :most::double precision * interval '1 second'
    """,
)

# A statement of its own, and a turn's first: what waits is read after the lane's row is locked, so that nothing that
# came meanwhile is forgotten; and in the order in which all lock them.
lock_lanes = run("""
    select
      from unnest(:orgs::uuid[], :endpoints::uuid[], :holds::bigint[]) as mine (org_id, endpoint_id, hold)
      join tenantry.webhook_lanes as lane
        on lane.org_id = mine.org_id and lane.endpoint_id = mine.endpoint_id and lane.hold = mine.hold
     order by lane.org_id, lane.endpoint_id
       for update of lane
""")
let_go = run("""
    update tenantry.webhook_lanes as lane
       set holder = null, held_until = null,
           due_at = case when endpoint.disabled_at is null and endpoint.deleted_at is null
                         then (select min(due.due_at)
                                 from tenantry.webhook_due as due
                                where due.org_id = lane.org_id and due.endpoint_id = lane.endpoint_id) end
      from unnest(:orgs::uuid[], :endpoints::uuid[], :holds::bigint[]) as mine (org_id, endpoint_id, hold)
      join tenantry.webhook_endpoints as endpoint
        on endpoint.org_id = mine.org_id and endpoint.id = mine.endpoint_id
     where lane.org_id = mine.org_id and lane.endpoint_id = mine.endpoint_id and lane.hold = mine.hold
""")

next_in = value(
    float,
    """
    select extract(epoch from greatest(due_at, paused_until) - tenantry.now())::double precision as seconds
      from tenantry.webhook_lanes
     where due_at is not null
       and coalesce(held_until < tenantry.tick(), true)
     order by greatest(due_at, paused_until)
     limit 1
    """,
    not_null=("seconds",),
)
