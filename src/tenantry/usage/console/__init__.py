"""The console's page of usage: how each quota stands, and what was used of each meter day by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from tenantry.foundation.pages import ConsolePages, Values
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.plans.models import Source
from tenantry.usage import actions, queries
from tenantry.usage.actions import period_of
from tenantry.usage.models import Asked, Balance, Period, Sum, spanned
from tenantry.usage.permissions import QUOTAS_READ, USAGE_READ

USAGE = "/console/orgs/{org}/usage"
Days = Literal["7", "30", "90", "365"]
SPANS: tuple[Days, ...] = ("7", "30", "90", "365")
SOURCES: Mapping[Source, str] = {
    "plan": "the plan",
    "trial": "the trial",
    "override": "an exception",
    "add_on": "an add-on",
}
ONE_DAY = timedelta(days=1)

pages = ConsolePages("usage", Path(__file__).parent / "templates", menu={USAGE: "Usage"})


class LookBack(Wire):
    """How many days to look back on, today among them."""

    days: Days = "30"


@pages.get(USAGE, title="Usage", template="usage", requires=USAGE_READ)
async def usage_page(work: OrgWork, query: LookBack) -> Values:
    """Show how much of each quota is used, and what was used of each meter in the last days."""
    now = work.runtime.clock.now()
    span, current = spanned(now - (int(query.days) - 1) * ONE_DAY, now, "day"), await period_of(work, work.org)
    by_day = await queries.sums(work, work.org, Asked("day", span), current=current)
    in_period = await queries.sums(work, work.org, Asked("period", Period(current.start, now)), current=current)
    return {
        "quotas": [_quota(one) for one in await actions.balances(work)] if work.may(QUOTAS_READ) else [],
        "meters": [_meter(work, key, span, by_day, in_period) for key in _keys(work, by_day, in_period)],
        "period": current,
        "spans": SPANS,
        "days": query.days,
    }


def _keys(work: OrgWork, *sums: Iterable[Sum]) -> list[str]:
    """The meters that there are, and those that there were when something was used of them."""
    return list(dict.fromkeys([*work.runtime.meters, *(one.meter for some in sums for one in some)]))


def _meter(work: OrgWork, key: str, span: Period, by_day: Iterable[Sum], in_period: Iterable[Sum]) -> Values:
    known = work.runtime.meters.get(key)
    used = {one.start: one.quantity for one in by_day if one.meter == key}
    days = _days(span)
    return {
        "key": key,
        "sentence": "" if known is None else known.sentence,
        "unit": "" if known is None else known.unit,
        "of_period": sum(one.quantity for one in in_period if one.meter == key),
        "of_span": sum(used.values()),
        "x": [int(day.timestamp()) for day in days],
        "values": [used.get(day, 0) for day in days],
    }


def _days(span: Period) -> list[datetime]:
    return [span.start + number * ONE_DAY for number in range((span.end - span.start).days)]


def _quota(one: Balance) -> Values:
    return {
        "balance": one,
        "title": one.quota.title,
        # a bar of nothing is not drawn
        "full": one.allowed or None,
        "shown": min(one.used, one.allowed or 0),
        "anew": None if one.period is None else one.period.end,
        "source": SOURCES[one.source],
    }
