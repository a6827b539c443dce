"""The bell: tells the workers, after a commit, that there are new jobs.

A notification inside the transaction would take a lock that all commits share. So the bell rings afterwards, on a
connection of its own, once for all that was committed within a moment. It is a hint: one that is lost costs a poll.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from asyncpg import Connection

from tenantry.foundation.data.database import Database
from tenantry.foundation.jobs.trouble import TROUBLE
from tenantry.foundation.logs import get_logger

CHANNEL, LOOK = "tenantry_jobs", "look"
MOMENT = 0.0015
PATIENCE = 2.0
SULK = 1.0
log = get_logger("tenantry.jobs")


class Bell:
    """Rings for any number of commits at once, one notification in flight at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection[Any] | None = None
        self._asked = self._later = False
        self._ringing: asyncio.Task[None] | None = None
        self._silent_until = 0.0
        self.rung = 0

    def ring(self, *, later: bool = False) -> None:
        """Have the workers claim, a moment from now, or see when what is `later` is due; never fails or waits."""
        self._asked = True
        self._later = self._later or later
        if self._ringing is None:
            self._ringing = asyncio.get_running_loop().create_task(self._ring())
            self._ringing.add_done_callback(self._rested)

    async def close(self) -> None:
        """Ring what is still to be rung, then let the connection go."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing], timeout=PATIENCE)
        self._drop()

    async def _ring(self) -> None:
        while self._asked:
            # the first after a silence rings at once; what comes close behind it shares the next
            await asyncio.sleep(max(0.0, self._silent_until - time.monotonic()))
            later, self._asked, self._later = self._later, False, False
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._notify(f"{CHANNEL}, '{LOOK}'" if later else CHANNEL)
            except TROUBLE as error:
                # the poll finds the jobs; a database that is away is not asked again for each commit
                log.warning("the workers could not be notified", error=type(error).__name__)
                self._drop()
                await asyncio.sleep(SULK)

    async def _notify(self, whom: str) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
        # nothing is lost with a notification: it need not be on disk before it is sent
        await self._connection.execute(f"begin;set local synchronous_commit=off;notify {whom};commit")
        self._silent_until = time.monotonic() + MOMENT
        self.rung += 1

    def _rested(self, task: asyncio.Task[None]) -> None:
        self._ringing = None
        if task.cancelled():
            self._drop()
        elif (error := task.exception()) is not None:
            log.error("the bell broke", error=type(error).__name__)
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
