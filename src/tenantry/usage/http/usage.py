"""Usage over HTTP: sums of what was used, and reports of what was used elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from tenantry.foundation.instants import in_utc
from tenantry.foundation.meter import LONGEST_USAGE_KEY, MOST_QUANTITY
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.usage import actions, queries
from tenantry.usage.actions import period_of
from tenantry.usage.http.shapes import routes
from tenantry.usage.models import LENGTHS, MOST_BUCKETS, MOST_REPORTED, Asked, Bucket, Period, Report, Sum, spanned
from tenantry.usage.permissions import USAGE_READ, USAGE_WRITE

MeterKey = Annotated[str, Meta(min_length=1, max_length=64, description="The key of a meter.")]
Moment = Annotated[datetime, Meta(tz=True)]
SUMMED = {
    "meter": "api_calls",
    "unit": "call",
    "start": "2026-03-01T00:00:00Z",
    "end": "2026-04-01T00:00:00Z",
    "quantity": 1204,
}


class SumView(Wire):
    """What was used of a meter, from `start` on and before `end`."""

    meter: str
    unit: str | None
    start: Moment
    end: Moment
    quantity: int


class Usage(Wire):
    """What was used, by bucket; one in which nothing was used is left out."""

    by: Bucket
    items: list[SumView]


class UsageQuery(Wire):
    """Which meter, in which time and by what; without a time since the billing period began."""

    meter: MeterKey | UnsetType = UNSET
    since: Moment | UnsetType = field(default=UNSET, name="from")
    until: Moment | UnsetType = field(default=UNSET, name="to")
    by: Bucket = "period"


class UsageEvent(Wire):
    """Something that was used; under the same key it is counted once."""

    meter: MeterKey
    quantity: Annotated[int, Meta(ge=0, le=MOST_QUANTITY)]
    key: Annotated[str, Meta(min_length=1, max_length=LONGEST_USAGE_KEY)]
    at: Moment | None = None


class UsageReport(Wire):
    """What was used elsewhere, all of it or nothing."""

    events: Annotated[list[UsageEvent], Meta(min_length=1, max_length=MOST_REPORTED)]


class UsageTaken(Wire):
    """How much of it was new, and how much had been counted already."""

    accepted: int
    duplicates: int


@routes.get("/orgs/{org}/usage", requires=USAGE_READ, answer_example={"by": "period", "items": [SUMMED]})
async def usage(work: OrgWork, query: UsageQuery) -> Usage:
    """What the organization used, by minute, hour, day or billing period, up to this moment."""
    meter = None if query.meter is UNSET else query.meter
    if meter is not None and meter not in work.runtime.meters:
        raise Invalid(errors=(FieldError("query.meter", "is no meter"),))
    current = await period_of(work, work.org)
    asked = Asked(query.by, _within(work, query, current), meter)
    found = await queries.sums(work, work.org, asked, current=current)
    return Usage(by=query.by, items=[_view(work, one) for one in found])


@routes.post(
    "/orgs/{org}/usage",
    requires=USAGE_WRITE,
    example={"events": [{"meter": "api_calls", "quantity": 12, "key": "edge-7:2026-03-01T10:00"}]},
    answer_example={"accepted": 1, "duplicates": 0},
)
async def report_usage(work: OrgWork, body: UsageReport) -> UsageTaken:
    """Report what was used elsewhere; what is reported again under its key is not counted again."""
    reports = [Report(one.meter, one.quantity, one.key, one.at) for one in body.events]
    taken = await actions.report_usage(work, reports=reports)
    return UsageTaken(accepted=taken.accepted, duplicates=taken.duplicates)


def _within(work: OrgWork, query: UsageQuery, current: Period) -> Period:
    since = current.start if query.since is UNSET else in_utc(query.since, "query.from")
    until = work.runtime.clock.now() if query.until is UNSET else in_utc(query.until, "query.to")
    if until <= since:
        raise Invalid(errors=(FieldError("query.to", "is not after query.from"),))
    if query.by in LENGTHS and (until - since) / LENGTHS[query.by] > MOST_BUCKETS:
        raise Invalid(errors=(FieldError("query.from", f"is more than {MOST_BUCKETS} of these before query.to"),))
    try:
        return spanned(since, until, query.by)
    except OverflowError as error:
        raise Invalid(errors=(FieldError("query.to", "is out of range"),)) from error


def _view(work: OrgWork, one: Sum) -> SumView:
    known = work.runtime.meters.get(one.meter)
    return SumView(
        meter=one.meter,
        unit=None if known is None else known.unit,
        start=one.start,
        end=one.end,
        quantity=one.quantity,
    )
