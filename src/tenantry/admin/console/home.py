"""Where operators begin: how the installation does, with plots, and who else operates it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from tenantry.admin import actions, queries
from tenantry.admin.console.frame import HOME, OPERATORS, pages
from tenantry.admin.models.insights import Cohort, Count, Insights, Money
from tenantry.admin.permissions import LOOK
from tenantry.admin.queries import insights
from tenantry.billing.models.money import money
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.pages import Values
from tenantry.foundation.wire import Wire

Days = Literal["7", "30", "90", "365"]
SPANS: tuple[Days, ...] = ("7", "30", "90", "365")
ONE_DAY = timedelta(days=1)
# a plot: what its lines are called, and which measure each shows; of the active, how many there were counts
PLOTS: Mapping[str, Mapping[str, str]] = {
    "People": {"Signed up": "signups", "Active": "active_users"},
    "Organizations": {"Founded": "orgs_founded", "Active": "active_orgs"},
}
MONEY = ("at_start", "new", "expansion", "reactivation", "contraction", "churn", "at_end")
WEEKS = range(9)


class LookBack(Wire):
    """How many days to look back on, today among them."""

    days: Days = "30"


@pages.get(HOME, title="How it goes", template="admin_home", requires=LOOK)
async def home(work: OperatorWork, query: LookBack) -> Values:
    """Show who came, who is active and what is paid by the month, in the last days; nobody by name."""
    _, until = await insights.span(work, None, None)
    found = await actions.look_at_insights(work, since=until - int(query.days) * ONE_DAY, until=until)
    return {
        "spans": SPANS,
        "days": query.days,
        "totals": {one.measure: one for one in found.totals},
        "plots": _plots(found),
        "moved": [_moved(one) for one in found.money],
        "plans": [
            {"one": one, "monthly": money(one.monthly, one.currency) if one.currency else ""} for one in found.plans
        ],
        "weeks": WEEKS,
        "cohorts": _cohorts(found.retention),
        "read": max((one.moved_at for one in found.read), default=None),
        "ahead": sum(one.ahead for one in found.read),
    }


@pages.get(OPERATORS, title="Operators", template="admin_operators", requires=LOOK)
async def operators_page(work: OperatorWork) -> Values:
    """Show who runs the installation; who does is said at the command line."""
    return {"operators": await queries.operators(work)}


def _plots(found: Insights) -> list[Values]:
    days = [found.since + number * ONE_DAY for number in range((found.until - found.since).days)]
    seconds = [int(datetime.combine(day, time(), UTC).timestamp()) for day in days]
    plots: list[Values] = []
    for title, measures in PLOTS.items():
        lines = [(name, _line(days, found.days, measure)) for name, measure in measures.items()]
        plots.append({"title": f"{title} by day", "x": seconds, "lines": lines})
    return plots


def _line(days: list[date], counts: list[Count], measure: str) -> list[int]:
    found = {one.day: one.whose for one in counts if one.measure == measure}
    return [found.get(day, 0) for day in days]


def _moved(one: Money) -> Values:
    return {"one": one, **{name: money(getattr(one, name), one.currency) for name in MONEY}}


def _cohorts(found: list[Cohort]) -> list[Values]:
    """Each week's people, and how many percent of them were active so many weeks later; nothing where none was."""
    sizes = {one.week: one.size for one in found}
    active = {(one.week, one.weeks_later): one.active for one in found}
    return [
        {"week": week, "size": size, "shares": [100 * active.get((week, later), 0) // size for later in WEEKS]}
        for week, size in sizes.items()
    ]
