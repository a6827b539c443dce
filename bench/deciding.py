"""Deciding over and over, in a process of its own: `python -m bench.deciding SECONDS` does so with Tenantry's rates.

Standard library alone but for the last lines: peers' environments import it too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import perf_counter, process_time

Decide = Callable[[str], object]
SUBJECTS = [f"somebody {number}" for number in range(1000)]


def tell(decide: Decide, seconds: float) -> None:
    """Print how many decisions that were, in how many seconds, with how much CPU."""
    for subject in SUBJECTS:
        decide(subject)
    done, cpu, begin = 0, process_time(), perf_counter()
    while (passed := perf_counter() - begin) < seconds:
        for subject in SUBJECTS:
            decide(subject)
        done += len(SUBJECTS)
    print(json.dumps({"decisions": done, "seconds": passed, "cpu": process_time() - cpu}))


def tenantrys() -> Decide:
    """One policy that all processes share, as an organization's is."""
    # late: a peer's environment has no Tenantry
    from tenantry.foundation.security.rates.counted import Policy, Rates  # noqa: PLC0415

    decide, policy = Rates().decide, Policy("org", 10**9)
    return lambda subject: decide(((policy, subject),))


if __name__ == "__main__":
    tell(tenantrys(), float(sys.argv[1]))
