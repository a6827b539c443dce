"""Usage that is reported from outside, and when it may count for."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

MOST_REPORTED = 1000
"""Events of usage in one request."""
KEYS_KEPT = timedelta(days=35)
"""How long usage under the same key is the same usage; also how late it can be reported."""
AHEAD = timedelta(minutes=5)
"""How far ahead of ours the clock of whoever reports usage may be."""


class Report(msgspec.Struct, frozen=True):
    """So much of a meter, under a key of the reporter's; `at` is the moment it counts for, None for now."""

    meter: str
    quantity: int
    key: str
    at: datetime | None = None


class Taken(msgspec.Struct, frozen=True):
    """Of what was reported, how much was new, and how much was known already."""

    accepted: int
    duplicates: int


def in_time(at: datetime | None, now: datetime) -> bool:
    """Whether usage of that moment may be reported now."""
    return at is None or now - KEYS_KEPT <= at <= now + AHEAD
