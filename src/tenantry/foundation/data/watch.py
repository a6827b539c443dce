"""Watches: what every process keeps in memory of the database, seldom changed and asked for all the time.

A watch asks for the mark of what it keeps again and again, on a connection of its own past the pool, so that a busy
pool makes nothing stale; another mark has it read everything anew, in one snapshot, and put in place at once. While the
database is away what was read last goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec
from asyncpg import Connection

from tenantry.foundation.data.database import Database, system_context
from tenantry.foundation.jobs.trouble import TROUBLE, jittered
from tenantry.foundation.logs import get_logger

PAUSE = 0.4
"""Seconds between two looks at whether something that is kept in memory has changed, about."""
PATIENCE = 5.0
Kept = TypeVar("Kept")
log = get_logger("tenantry.watch")


class Opened(msgspec.Struct):
    """The transaction in which a watch looks."""

    connection: Connection[Any]


class Watch(Generic[Kept]):
    """Keeps something of the database fresh from its first use on; `kept` is there to be read at any moment."""

    def __init__(
        self,
        database: Database,
        *,
        of: str,
        kept: Kept,
        mark: Callable[[Opened], Awaitable[object]],
        read: Callable[[Opened], Awaitable[Kept]],
        beside: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`kept` holds until something was read; `beside` is done after each look, whether or not that succeeded."""
        self.kept = kept
        self.loaded = False
        self._database = database
        self._of = of
        self._mark, self._read, self._beside = mark, read, beside
        self.known: object = None
        self._first = asyncio.Event()
        self._connection: Connection[Any] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[], None]] = []
        self.well = True

    def start(self) -> None:
        """Look from now on."""
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())
            self._watching.add_done_callback(self._rested)

    async def ready(self, *, within: float) -> bool:
        """Wait until something was read, or give up after so many seconds; says which."""
        self.start()
        if not self.loaded:
            try:
                async with asyncio.timeout(within):
                    await self._first.wait()
            except TimeoutError:
                log.warning("not read in time", of=self._of)
        return self.loaded

    def also(self, listener: Callable[[], None]) -> None:
        """Call this one too whenever something new is in place."""
        self._listeners.append(listener)

    async def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        self._drop()

    async def _watch(self) -> None:
        while True:
            await self._look()
            if self._beside is not None:
                await self._beside()
            await asyncio.sleep(jittered(PAUSE))

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._refresh()
        except TROUBLE as error:
            self._drop()
            if self.well:
                log.warning("what is kept in memory may be old", of=self._of, error=type(error).__name__)
            self.well = False
        else:
            self.well = True

    async def _refresh(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            await self._connection.execute(system_context())
            opened = Opened(self._connection)
            mark = await self._mark(opened)
            if self.loaded and mark == self.known:
                return
            kept = await self._read(opened)
        self.kept, self.known, self.loaded = kept, mark, True
        self._first.set()
        for listener in self._listeners:
            self._call(listener)

    def _call(self, listener: Callable[[], None]) -> None:
        try:
            listener()
        except Exception as error:  # noqa: BLE001  (whoever listens must not end the watch)
            log.error("not told that something is new", of=self._of, error=type(error).__name__)

    def _rested(self, task: asyncio.Task[None]) -> None:
        # whoever asks next starts it anew
        self._watching = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a watch broke", of=self._of, error=type(error).__name__)
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
