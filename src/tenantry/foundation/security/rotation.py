"""Rotation of refresh tokens, decided from facts alone: what a presented generation means for its session."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta

import msgspec

GRACE = timedelta(seconds=10)
"""A refresh token that was just used gets the same successor again within this time."""


class Generation(msgspec.Struct, frozen=True):
    """Where a session stands: how often it was rotated, when last, whether its newest token was used since.

    Using the newest token to refresh moves the counter, so for that alone `used` stays false; it is for uses
    that do not rotate. An access token being seen is none of them: of two tabs that refresh together, the
    first goes on at once, and the second must not end the session.
    """

    counter: int
    rotated_at: datetime
    used: bool = False


class Rotation(enum.Enum):
    """What to do with a genuine refresh token."""

    ROTATE = "rotate"
    SAME_SUCCESSOR = "same_successor"
    KILL = "kill"
    NOT_ISSUED = "not_issued"


def decide(presented: int, current: Generation, *, now: datetime, grace: timedelta = GRACE) -> Rotation:
    """Rotate the newest; give a lost answer again for a moment; end the session of anything older."""
    if presented > current.counter:
        return Rotation.NOT_ISSUED
    if presented == current.counter:
        return Rotation.ROTATE
    lost_answer = presented == current.counter - 1 and not current.used
    # abs(): a clock that was set back must not keep the grace open until it has caught up.
    if lost_answer and abs(now - current.rotated_at) <= grace:
        return Rotation.SAME_SUCCESSOR
    return Rotation.KILL
