"""A process that counts together with others: `python -m bench.product.counting SECONDS TIMES PER LOAD`.

It asks on behalf of one organization, which may ask so often in PER seconds, at a steady rate of LOAD times that, and
prints how many requests were allowed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from time import monotonic

from bench.product.house import equipped
from tenantry.foundation.security.rates.counted import Policy
from tenantry.foundation.security.rates.shared import attend

STEP = 0.005


async def main(seconds: float, times: int, per: float, load: float) -> None:
    """Ask, as requests would come."""
    environ = {name: text for name, text in os.environ.items() if name.startswith("TENANTRY_")}
    runtime, _ = equipped(environ)
    policy, accepted, asked = Policy("org", times, timedelta(seconds=per)), 0, 0
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    attend(runtime)
    begin = monotonic()
    while (passed := monotonic() - begin) < seconds:
        while asked < passed * times / per * load:
            accepted += not runtime.rates.decide([(policy, "one organization")])
            asked += 1
        await asyncio.sleep(STEP)
    print(accepted, flush=True)
    await runtime.stop()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
