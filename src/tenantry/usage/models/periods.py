"""Billing periods: the stretches of time that usage is summed up for, one after the other, of each organization."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec


class Period(msgspec.Struct, frozen=True):
    """From `start` on, and up to `end`, which is the next one's beginning."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.start <= at < self.end


def month_of(at: datetime) -> Period:
    """The calendar month in UTC that a moment lies in: the period of whoever is billed by no other."""
    start = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    year, month = (start.year + 1, 1) if start.month == 12 else (start.year, start.month + 1)
    return Period(start, start.replace(year=year, month=month))
