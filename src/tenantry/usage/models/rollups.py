"""Usage as it is summed up: how long each sum is kept, and how a stretch of time is cut into buckets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.usage.models.periods import Period

Bucket = Literal["minute", "hour", "day", "period"]
MINUTES_KEPT = timedelta(days=7)
"""How long usage is known by the minute."""
HOURS_KEPT = timedelta(days=400)
"""How long usage is known by the hour; by billing period it is known for good."""
MOST_SUM = 2**53 - 1
"""Where every sum of usage ends: what a reader of JSON is sure to understand."""
MOST_BUCKETS = 1500
"""Minutes, hours or days that one answer may span."""
LENGTHS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


class Asked(msgspec.Struct, frozen=True):
    """Which sums somebody wants to see: by what, in which time, and of one meter only or of all."""

    by: Bucket
    within: Period
    meter: str | None = None


class Sum(msgspec.Struct, frozen=True):
    """What was used of a meter in a bucket; of one that no billing period is kept for yet, `end` is its month's."""

    meter: str
    start: datetime
    end: datetime
    quantity: int


class Differs(msgspec.Struct, frozen=True):
    """A sum that is not what its events make; None where there is no such sum, or where there are no such events."""

    org_id: UUID
    by: str
    meter: str
    start: datetime
    kept: int | None
    counted: int | None


def spanned(since: datetime, until: datetime, by: Bucket) -> Period:
    """A stretch of time widened to whole buckets, which begin in UTC; billing periods begin where they do."""
    if by == "period":
        return Period(since, until)
    length = LENGTHS[by]
    start, end = _down(since, length), _down(until, length)
    return Period(start, end if end == until else end + length)


def _down(at: datetime, length: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // length * length
