"""Insights at the command line: the figures of a span of days, and having them made anew."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import msgspec

from tenantry.admin import actions
from tenantry.admin.models.insights import Insights, Progress
from tenantry.admin.queries import insights
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.work import SystemWork

Since = Annotated[str | None, Option("From this day on (`2026-05-01`, UTC); else 30 days.", flag="--from")]
Until = Annotated[str | None, Option("Before this day; else until now.", flag="--to")]


class Rebuild(msgspec.Struct, frozen=True):
    """A rebuild, begun now or before: how far each generation has read the log."""

    begun: bool
    read: list[Progress]


async def show(call: Call, *, since: Since = None, until: Until = None) -> Insights:
    """Show sign-ups, activity, retention, trials and what is paid by the month, of everybody together."""
    async with SystemWork(call, reason="figures are of everybody", reading=True) as work:
        return await insights.figures(work, *await insights.span(work, _day(since, "--from"), _day(until, "--to")))


async def rebuild(call: Call) -> Rebuild:
    """Make insights anew from the beginning of the log, beside those that are shown; again, to see how far it is."""
    async with SystemWork(call, reason="figures are of everybody") as work:
        begun = await actions.rebuild_insights(work)
        return Rebuild(begun, await insights.progress(work))


def _day(text: str | None, option: str) -> date | None:
    try:
        return None if text is None else datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise BadUsage(f"{option} is a day such as 2026-05-01") from error


commands = (Command("insights", "show", show), Command("insights", "rebuild", rebuild))
