"""Usage that comes from outside: many events in one statement, each counted once however often it is reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import value
from tenantry.foundation.meter import usage_digest
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.work import OrgWork
from tenantry.usage.actions.reported import counting_reports
from tenantry.usage.models.reports import Report, Taken, in_time
from tenantry.usage.permissions import USAGE_WRITE

MOST_ERRORS = 50
"""Events of one request that are said to be wrong."""

# Keys in order, as all lock them. `is true` lets the keys be looked up in a table that is made once: as a join, which
# nobody can estimate, it could be done a thousand times a thousand.
keep = value(
    int,
    """
    with told as materialized (
        select *
          from unnest(:meters::text[], :quantities::bigint[], :keys::text[], :digests::bytea[], :ats::timestamptz[])
               as one (meter, quantity, key, digest, at)
    ), fresh as (
        insert into tenantry.usage_keys as known (org_id, digest)
        select :org_id::uuid, digest
          from told
         order by digest
            on conflict (org_id, digest) do update set at = tenantry.now()
               where known.at <= tenantry.now() - interval '35 days'
        returning digest
    ), kept as (
        insert into tenantry.usage_events (org_id, meter, quantity, key, at, request_id)
        select :org_id::uuid, meter, quantity, key, coalesce(at, tenantry.now()), :request_id::text
          from told
         where (digest in (select digest from fresh)) is true
        returning 1
    )
    select count(*) from kept
    """,
)


@action(requires=USAGE_WRITE)
async def report_usage(work: OrgWork, *, reports: Sequence[Report]) -> Taken:
    """Count what was used elsewhere; what was counted under the same key within 35 days is not counted again."""
    if errors := tuple(_errors(work, reports))[:MOST_ERRORS]:
        raise Invalid("Nothing was counted: some of these events cannot be.", errors=errors)
    first = {usage_digest(one.meter, one.key): one for one in reversed(reports)}
    async with counting_reports(work, work.org, {one.meter for one in reports}):
        accepted = await keep(
            work,
            org_id=work.org,
            request_id=work.call.request_id,
            meters=[one.meter for one in first.values()],
            quantities=[one.quantity for one in first.values()],
            keys=[one.key for one in first.values()],
            digests=list(first),
            ats=[one.at for one in first.values()],
        )
    return Taken(accepted or 0, len(reports) - (accepted or 0))


def _errors(work: OrgWork, reports: Sequence[Report]) -> Iterator[FieldError]:
    now, known = work.runtime.clock.now(), {key for key, meter in work.runtime.meters.items() if meter.ingest}
    for place, one in enumerate(reports):
        if one.meter not in known:
            yield FieldError(f"body.events[{place}].meter", "is no meter that can be reported")
        if not in_time(one.at, now):
            yield FieldError(f"body.events[{place}].at", "is more than 35 days ago, or more than 5 minutes ahead")
