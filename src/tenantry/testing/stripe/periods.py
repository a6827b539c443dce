"""Billing periods: whole intervals counted from an anchor, so that the 31st comes back after a short month."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime

DAY = 86_400
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def after(anchor: int, count: int, interval: str) -> int:
    """The instant this many intervals after the anchor."""
    if interval in _DAYS:
        return anchor + count * _DAYS[interval] * DAY
    start = datetime.fromtimestamp(anchor, UTC)
    years, month = divmod(start.month - 1 + count * _MONTHS[interval], 12)
    year = start.year + years
    day = min(start.day, monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def end_of(anchor: int, start: int, interval: str, every: int) -> int:
    """The first boundary after `start`, counted from the anchor."""
    longest = after(0, every, interval) + 3 * DAY
    count = max(0, (start - anchor) // longest - 1)
    while after(anchor, count * every, interval) <= start:
        count += 1
    return after(anchor, count * every, interval)
