"""A worker process of its own, for the tests that kill one: `queue_process.py DSN LEASE HEARTBEAT GRACE`."""

from __future__ import annotations

import asyncio
import sys

import queue_trial
from queue_kit import REGISTRY, runtime_on

from tenantry.entrypoints.worker import serve, stop_at_signals
from tenantry.foundation.jobs.worker import Pace


async def main(dsn: str, lease: float, heartbeat: float, grace: float) -> None:
    stop = asyncio.Event()
    stop_at_signals(stop)
    queue_trial.seen = queue_trial.Seen()
    pace = Pace(lease=lease, heartbeat=heartbeat, sweep=0.3, grace=grace)
    await serve(runtime_on(dsn), REGISTRY, stop, pace=pace)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(float, sys.argv[2:])))
