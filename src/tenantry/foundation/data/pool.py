"""The light pool: bare connections, handed out and taken back, with a cap and a deadline on waiting.

It does not reset a connection, because a Work always ends its transaction; one that could not is closed instead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from asyncpg import Connection
from asyncpg.exceptions import PostgresError

from tenantry.foundation.problems import Unavailable

Connect = Callable[[], Awaitable["Connection[Any]"]]


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached right now; try again shortly."""

    code = "database_unavailable"


class DatabaseBusy(Unavailable):
    """Every database connection is in use; try again shortly."""

    code = "database_busy"


class Pool:
    """At most `size` connections, made when first needed, the warmest handed out first."""

    def __init__(self, connect: Connect, *, size: int, patience: float = 2.0, queue: int = 1000) -> None:
        self._connect = connect
        self._patience = patience
        self._queue = queue
        self._free_places = size
        self._idle: list[Connection[Any]] = []
        self._waiting: deque[asyncio.Future[Connection[Any] | None]] = deque()
        self.size = size

    @property
    def in_use(self) -> int:
        """Connections handed out at this moment."""
        return self.size - self._free_places - len(self._idle)

    async def acquire(self) -> Connection[Any]:
        """A connection of one's own; after `patience` seconds of waiting, a refusal."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._free_places += 1
        if self._free_places:
            return await self._open()
        return await self._wait()

    def release(self, connection: Connection[Any]) -> None:
        """Hand a connection back. One with an unfinished transaction is closed: nobody may inherit its context."""
        if connection.is_in_transaction():
            self.discard(connection)
        else:
            self.park(connection)

    def park(self, connection: Connection[Any]) -> None:
        """Take a connection back within a transaction, to be ended by whoever is given it."""
        if connection.is_closed():
            self.discard(connection)
        elif (waiter := self._next_waiter()) is not None:
            waiter.set_result(connection)
        else:
            self._idle.append(connection)

    def unpark(self) -> list[Connection[Any]]:
        """Hand out all idle connections that are still within a transaction."""
        parked = [connection for connection in self._idle if connection.is_in_transaction()]
        self._idle = [connection for connection in self._idle if not connection.is_in_transaction()]
        return parked

    def discard(self, connection: Connection[Any]) -> None:
        """Close a connection that cannot be trusted any more and give its place to the next in line."""
        if not connection.is_closed():
            connection.terminate()
        self._give_place()

    def forget_idle(self) -> None:
        """Close what is idle, because one of them turned out to be dead; new ones take their places."""
        idle, self._idle = self._idle, []
        for connection in idle:
            self.discard(connection)

    def close(self) -> None:
        """Close what is idle; what is handed out is closed by its holder's release."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()

    async def _open(self) -> Connection[Any]:
        self._free_places -= 1
        try:
            async with asyncio.timeout(5):
                return await self._connect()
        except (OSError, TimeoutError, PostgresError) as error:
            self._give_place()
            raise DatabaseUnavailable from error
        except BaseException:
            self._give_place()
            raise

    async def _wait(self) -> Connection[Any]:
        if len(self._waiting) >= self._queue:
            raise DatabaseBusy
        waiter: asyncio.Future[Connection[Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._patience):
                connection = await waiter
        except TimeoutError as error:
            self._forsake(waiter)
            raise DatabaseBusy from error
        except asyncio.CancelledError:
            self._forsake(waiter)
            raise
        return connection if connection is not None else await self.acquire()

    def _forsake(self, waiter: asyncio.Future[Connection[Any] | None]) -> None:
        # the turn may have come in the very moment the wait ended: pass it on
        if not waiter.done():
            waiter.cancel()
        elif not waiter.cancelled():
            connection = waiter.result()
            if connection is not None:
                self.release(connection)
            elif (follower := self._next_waiter()) is not None:
                follower.set_result(None)

    def _give_place(self) -> None:
        self._free_places += 1
        if (waiter := self._next_waiter()) is not None:
            waiter.set_result(None)

    def _next_waiter(self) -> asyncio.Future[Connection[Any] | None] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None
