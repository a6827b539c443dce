"""When something is to be done again and again: at an interval, or by a cron expression."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal

import msgspec

from tenantry.foundation.jobs.cron import Cron

_START = datetime(1970, 1, 1, tzinfo=UTC)
Missed = Literal["once", "skip", "all"]
"""What becomes of ticks that nobody was there for: the latest is made up for, or none, or each."""
LATEST = timedelta(minutes=1)
"""How late a tick may be asked for where missed ones are skipped; an interval that is shorter, if it is one."""
MADE_UP_AT_ONCE = 1000
"""Missed ticks that are asked for in one transaction, at most; the next ones follow in another."""


class Schedule(msgspec.Struct, frozen=True):
    """Ticks in UTC: every so many seconds since 1970, or the minutes that a cron expression names."""

    interval: timedelta | None
    cron: Cron | None
    missed: Missed = "once"

    @classmethod
    def parse(cls, cron: str | None, seconds: float, missed: Missed = "once") -> Schedule:
        """The schedule of a cron expression or of an interval, never both."""
        if (cron is None) == (seconds == 0):
            raise ValueError("a schedule has an interval or a cron expression")
        if cron is not None:
            return cls(None, Cron.parse(cron), missed)
        if seconds < 1:
            raise ValueError("an interval lasts a second at least")
        return cls(timedelta(seconds=seconds), None, missed)

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

    def missed_since(self, seen: datetime, now: datetime) -> list[datetime]:
        """The ticks to ask for now, the oldest first, when the last one that was asked for is `seen`."""
        latest = self.last(now)
        if latest <= seen:
            return []
        if self.missed == "all":
            return list(islice(self._after(seen, latest), MADE_UP_AT_ONCE))
        late = min(LATEST, self.interval or LATEST)
        return [] if self.missed == "skip" and now - latest > late else [latest]

    def _after(self, seen: datetime, latest: datetime) -> Iterator[datetime]:
        while (seen := self.next(seen)) <= latest:
            yield seen
