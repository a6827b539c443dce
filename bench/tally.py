"""Counting jobs inside a worker under test. The standard library only: each peer's own environment imports it too."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

LONGEST = 120.0
"""Seconds that a drain may take before it counts as failed."""


class Tally:
    """How many handlers have run, and when the first of them began."""

    def __init__(self) -> None:
        self.count = 0
        self.wanted = 0
        self.began = self.began_cpu = 0.0
        self._reached = asyncio.Event()

    def add(self) -> None:
        """One more; called by the handler, so it costs as little as it can."""
        self.count += 1
        if self.count == 1:
            self.began, self.began_cpu = time.monotonic(), time.process_time()
        if self.count == self.wanted:
            self._reached.set()

    async def until(self, wanted: int, left: Callable[[], Awaitable[int]]) -> None:
        """Wait for so many, then until the database says that none is left unacknowledged; print what that took."""
        self.wanted = wanted
        async with asyncio.timeout(LONGEST):
            await self._reached.wait()
            while await left():  # noqa: ASYNC110  (a database has no event)
                await asyncio.sleep(0.005)
        seconds, cpu = time.monotonic() - self.began, time.process_time() - self.began_cpu
        print(json.dumps({"jobs": self.count, "seconds": seconds, "cpu": cpu}), flush=True)
