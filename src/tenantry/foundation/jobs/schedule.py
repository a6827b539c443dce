"""When something is to be done again and again: at an interval, or by a cron expression."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from tenantry.foundation.jobs.cron import Cron

_START = datetime(1970, 1, 1, tzinfo=UTC)


class Schedule(msgspec.Struct, frozen=True):
    """Ticks in UTC: every so many seconds since 1970, or the minutes that a cron expression names."""

    interval: timedelta | None
    cron: Cron | None

    @classmethod
    def parse(cls, cron: str | None, seconds: float) -> Schedule:
        """The schedule of a cron expression or of an interval, never both."""
        if (cron is None) == (seconds == 0):
            raise ValueError("a schedule has an interval or a cron expression")
        if cron is not None:
            return cls(None, Cron.parse(cron))
        if seconds < 1:
            raise ValueError("an interval lasts a second at least")
        return cls(timedelta(seconds=seconds), None)

    def last(self, now: datetime) -> datetime:
        """The tick that `now` belongs to."""
        if self.cron is not None:
            return self.cron.last(now)
        assert self.interval is not None
        return _START + (now - _START) // self.interval * self.interval

    def next(self, now: datetime) -> datetime:
        """The first tick after `now`."""
        if self.cron is not None:
            return self.cron.next(now)
        assert self.interval is not None
        return self.last(now) + self.interval
