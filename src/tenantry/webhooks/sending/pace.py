"""When to try again, how much at a time, and when to leave an endpoint alone: rules, without a clock or I/O."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

MINUTE, HOUR = 60.0, 3600.0
SCHEDULE = (0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds between the attempts of a delivery, the first at once; after the last it has failed."""
JITTER = 0.2
"""The part by which a wait may be longer or shorter, so that what failed together does not come back together."""
LONGEST_ASKED = 24 * HOUR
"""Seconds that an endpoint may ask to be left alone (`Retry-After`), at most."""
LONGEST_QUIET = 1 * HOUR
"""Seconds for which everything to an endpoint waits because it asked for that, at most."""
BREAKS_AFTER = 5
"""Failures in a row after which an endpoint is left alone for a while, and then tried with one delivery."""
FIRST_BREAK, LONGEST_BREAK = 5.0, 15 * MINUTE
ONLY_FAILURES = 120 * HOUR
"""Seconds of nothing but failures after which an endpoint is disabled."""
FIRST_WINDOW, WIDEST_WINDOW = 4, 64
"""Deliveries to one endpoint at a time: at first, and once it has answered often and soon."""
SLOW = 2.0
"""Seconds after which an answer is slow: its endpoint is sent less at a time."""

Came = Literal["delivered", "later", "failed"]


def arrived(status: int) -> bool:
    """Whether an answer says that it was taken: 2xx and nothing else; a redirection is not followed."""
    return 200 <= status < 300


def wait_after(tries: int, asked: float | None = None) -> float | None:
    """Seconds until the next attempt of a delivery of which so many have failed; None: that was the last."""
    if tries >= len(SCHEDULE):
        return None
    wait = SCHEDULE[tries] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  (spreads load, hides nothing)
    return wait if asked is None else max(wait, asked * random.uniform(1, 1 + JITTER))  # noqa: S311


def quiet_after(failures: int, asked: float | None = None) -> float | None:
    """Seconds for which nothing at all is sent to an endpoint that failed so often in a row; None: it goes on."""
    if asked is not None:
        return min(asked, LONGEST_QUIET)
    if failures < BREAKS_AFTER:
        return None
    longer: float = FIRST_BREAK * 2.0 ** min(failures - BREAKS_AFTER, 20)
    return min(longer, LONGEST_BREAK) * random.uniform(1 - JITTER, 1)  # noqa: S311


def asked_for(retry_after: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` asks for, given as such or as a date; None: nothing that could be read."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) <= len("31536000"):
        return min(float(text), LONGEST_ASKED)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_ASKED)


def window_after(window: int, *, good: bool, took: float) -> int:
    """How many at a time once one more has ended: one more while all goes well, half as many when not."""
    if good and took < SLOW:
        return min(window + 1, WIDEST_WINDOW)
    return max(1, window // 2)
