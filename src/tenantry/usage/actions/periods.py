"""Which billing period a moment of an organization lies in, as whoever bills it says, or else by the calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tenantry.foundation.question import Question
from tenantry.foundation.work import Work
from tenantry.usage.models.periods import Period, month_of


def _merged(answers: Sequence[Mapping[UUID, Period]]) -> Mapping[UUID, Period]:
    return {org: period for periods in answers for org, period in periods.items()}


current_periods: Question[[Sequence[UUID], datetime], Mapping[UUID, Period]] = Question(
    "current_periods",
    "Which period is each of these organizations billed for at this moment? Those billed for none are left out.",
    settle=_merged,
)


async def period_of(work: Work, org_id: UUID, at: datetime | None = None) -> Period:
    """The billing period of an organization at a moment, without one now."""
    moment = at or work.runtime.clock.now()
    return (await current_periods.ask(work, [org_id], moment)).get(org_id) or month_of(moment)
