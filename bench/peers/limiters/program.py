"""A rate limiter under test, run by its own environment: `program.py NAME SECONDS` decides over and over in memory."""

from __future__ import annotations

import sys

from bench.deciding import Decide, tell


def throttled_gcra() -> Decide:
    """throttled-py, the same algorithm, in its own memory store."""
    # late: each is measured in a process without the others
    from throttled import RateLimiterType, Throttled, rate_limiter, store  # noqa: PLC0415

    limiter = Throttled(
        using=RateLimiterType.GCRA.value,
        quota=rate_limiter.per_min(10**9),
        store=store.MemoryStore(options={"MAX_SIZE": 100_000}),
    )
    return limiter.limit


def limits_sliding() -> Decide:
    """limits, with its strategy that is nearest to ours, in memory."""
    # late: each is measured in a process without the others
    from limits import parse, storage, strategies  # noqa: PLC0415

    limiter, rate = strategies.SlidingWindowCounterRateLimiter(storage.MemoryStorage()), parse("1000000000/minute")
    return lambda subject: limiter.hit(rate, subject)


NAMED = {"throttled-py": throttled_gcra, "limits": limits_sliding}

if __name__ == "__main__":
    tell(NAMED[sys.argv[1]](), float(sys.argv[2]))
