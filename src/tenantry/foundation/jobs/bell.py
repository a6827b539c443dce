"""The bell: tells the workers, after a commit, that there are new jobs.

A notification inside the transaction would take a lock that all commits share. So the bell rings afterwards, on a
connection of its own, once for all that was committed within a moment. It is a hint: one that is lost costs a poll.
"""

from __future__ import annotations

import asyncio
from typing import Any

from asyncpg import Connection

from tenantry.foundation.data.database import Database
from tenantry.foundation.jobs.trouble import TROUBLE
from tenantry.foundation.logs import get_logger

CHANNEL = "tenantry_jobs"
MOMENT = 0.0015
PATIENCE = 2.0
SULK = 1.0
log = get_logger("tenantry.jobs")


class Bell:
    """Rings for any number of commits at once, one notification in flight at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection[Any] | None = None
        self._asked = False
        self._ringing: asyncio.Task[None] | None = None
        self.rung = 0

    def ring(self) -> None:
        """Have the workers look, a moment from now; never fails and never waits."""
        self._asked = True
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
            await asyncio.sleep(MOMENT)
            self._asked = False
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._notify()
            except TROUBLE as error:
                # the poll finds the jobs; a database that is away is not asked again for each commit
                log.warning("the workers could not be notified", error=type(error).__name__)
                self._drop()
                await asyncio.sleep(SULK)

    async def _notify(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
        await self._connection.execute(f"notify {CHANNEL}")
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
