"""Insights over HTTP, for operators: how the installation does as a whole."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from msgspec import Meta, field

from tenantry.admin import actions
from tenantry.admin.http.shapes import Instant, routes
from tenantry.admin.models.insights import Cohort, Count, Insights, Money, OnPlan, Total
from tenantry.admin.permissions import LOOK
from tenantry.admin.queries import insights as queries
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.wire import Wire

LONGEST_SPAN = timedelta(days=400)
"""Days of insights in one answer."""
FIRST, LAST = date(1970, 1, 2), date(9999, 1, 1)
FIGURES: dict[str, Any] = {
    "since": "2026-01-01",
    "until": "2026-01-31",
    "totals": [{"measure": "signups", "times": 41, "whose": 41}],
    "money": [],
    "plans": [{"plan": "team", "status": "active", "currency": "eur", "orgs": 3, "monthly": 28800}],
    "retention": [{"week": "2026-01-05", "size": 12, "weeks_later": 1, "active": 7}],
    "days": [{"day": "2026-01-05", "measure": "signups", "times": 4, "whose": 4}],
    "read_to": "2026-01-31T03:04:05Z",
}


class InsightsQuery(Wire):
    """Which days, in UTC: the last thirty unless it says otherwise."""

    since: Annotated[date | None, Meta(description="From this day on.")] = field(name="from", default=None)
    until: Annotated[date | None, Meta(description="Before this day.")] = field(name="to", default=None)


class InsightsView(Wire):
    """What happened in a span of days, by day and together; amounts are by the month, in the smallest unit."""

    since: date
    until: date
    totals: list[Total]
    money: list[Money]
    plans: list[OnPlan]
    retention: list[Cohort]
    days: list[Count]
    read_to: Annotated[Instant | None, Meta(description="When the last of what is in it was read; null: nothing yet.")]


@routes.get("/insights", requires=LOOK, answer_example=FIGURES)
async def insights(work: OperatorWork, query: InsightsQuery) -> InsightsView:
    """How the installation does: who comes and stays, and what is paid by the month; nobody by name."""
    for name, day in (("from", query.since), ("to", query.until)):
        if day is not None and not FIRST <= day <= LAST:
            raise Invalid(errors=(FieldError(f"query.{name}", "is out of range"),))
    since, until = await queries.span(work, query.since, query.until)
    if not timedelta() < until - since <= LONGEST_SPAN:
        raise Invalid(errors=(FieldError("query.from", f"is not 1 to {LONGEST_SPAN.days} days before the end"),))
    return _view(await actions.look_at_insights(work, since=since, until=until))


def _view(found: Insights) -> InsightsView:
    return InsightsView(
        since=found.since, until=found.until, totals=found.totals, money=found.money, plans=found.plans,
        retention=found.retention, days=found.days, read_to=max((one.moved_at for one in found.read), default=None),
    )  # fmt: skip
