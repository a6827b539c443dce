"""The database as the application sees it: transactions opened in a context, and never without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg import Connection
from asyncpg.exceptions import (
    InterfaceError,
    InternalClientError,
    OperatorInterventionError,
    PostgresConnectionError,
    PostgresError,
)

from tenantry.foundation.data.clock import Clock
from tenantry.foundation.data.pool import DatabaseUnavailable, Pool

OPENING_WITHIN, ANSWERED_WITHIN, ROLLBACK_WITHIN = 3.0, 10.0, 2.0
LINGER = 0.05
"""Seconds that a transaction which has only read waits for the next one on its connection to end it."""
LIMITS = {"statement_timeout": "5s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}
APP, SYSTEM = "tenantry_app", "tenantry_system"
Guard = Callable[["Connection[Any]"], Awaitable[None]]
"""Looks at each new connection before anybody may use it; one that it raises about is closed."""
# InternalClientError: what a connection answers between its server's farewell and the end of its socket
LOST = (
    OSError,
    InterfaceError,
    InternalClientError,
    TimeoutError,
    PostgresConnectionError,
    OperatorInterventionError,
)


def person_context(person: UUID, session: UUID, *, even_closed: bool = False, claim: UUID | None = None) -> str:
    """The opening words of a transaction on a person's behalf; they refuse a dead session, or a closed account."""
    closed = ",true" if even_closed else ""
    return f"{_app(claim)};select tenantry.enter({_uuid(person)},{_uuid(session)}{closed})"


def org_context(
    person: UUID,
    session: UUID,
    org: UUID,
    *,
    even_closed: bool = False,
    even_restricted: bool = False,
    claim: UUID | None = None,
) -> str:
    """The opening words of a transaction in an organization; they refuse whoever is no member of it.

    PostgreSQL answers them with as many rows as the member's role ranks: it is all that such an answer can tell.
    """
    even = f"{',even_closed=>true' if even_closed else ''}{',even_restricted=>true' if even_restricted else ''}"
    entering = f"tenantry.enter_org({_uuid(person)},{_uuid(session)},{_uuid(org)}{even})"
    return f"{_app(claim)};select from {entering}"


def key_context(
    digest: bytes,
    known: UUID,
    org: UUID,
    *,
    even_closed: bool = False,
    even_restricted: bool = False,
    claim: UUID | None = None,
) -> str:
    """The opening words of a transaction by an API key of an organization; they refuse a key that is not, or no more.

    They are answered as a member's are, with three rows more if what is `known` of the key, by its stamp, is not true.
    """
    even = f"{',even_closed=>true' if even_closed else ''}{',even_restricted=>true' if even_restricted else ''}"
    halves = f"{_uuid(UUID(bytes=digest[:16]))},{_uuid(UUID(bytes=digest[16:]))}"
    entering = f"tenantry.enter_key({halves},{_uuid(known)},{_uuid(org)}{even})"
    return f"{_app(claim)};select from {entering}"


def rank_answered(tag: str) -> int:
    """The rank of the role that an organization's opening words were answered with; the lowest is 1."""
    return int(tag.removeprefix("SELECT "))


def job_context(org: UUID | None) -> str:
    """The opening words of a job's transaction in its organization; without one, in none, where no row is seen.

    What a person does ends with their membership; a job was asked for in a commit of theirs, and goes on.
    """
    place = "''" if org is None else f"{_uuid(org)}::text"
    return f"set local role {APP};select set_config('tenantry.person','',true),set_config('tenantry.org',{place},true)"


def system_context() -> str:
    """The opening words of a transaction of the house itself."""
    return f"set local role {SYSTEM}"


def _app(claim: UUID | None) -> str:
    # who asks under a key that is being served waits before anything else is looked at; the last word's answer counts
    claiming = "" if claim is None else f";select tenantry.claim_answer({_uuid(claim)})"
    return f"set local role {APP}{claiming}"


def _uuid(value: UUID) -> str:
    # the only place where a value is rendered into SQL, and from a UUID object only
    if not isinstance(value, UUID):
        raise TypeError("a context is opened with UUID objects only")
    return f"'{value}'::uuid"


class NotCommitted(Exception):
    """PostgreSQL answered a commit with a rollback: an error inside the transaction was caught and forgotten."""


async def commit(connection: Connection[Any]) -> None:
    """Commit, and make sure of it: a failed transaction answers the same question with ROLLBACK."""
    if await connection.execute("commit") != "COMMIT":
        raise NotCommitted


class Database:
    """One PostgreSQL: a pool of connections and the way transactions are opened on it."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        size: int = 16,
        pooler: str = "none",
        guard: Guard | None = None,
    ) -> None:
        self.url = url
        self.clock = clock
        self._guard = guard
        # a pooler refuses what it does not know at the start; there the login's own settings hold
        self._limits = {} if pooler == "transaction" else LIMITS
        self._cached = 0 if pooler == "transaction" else 256
        self._lingers = pooler != "transaction"
        self._sweep: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self.pool = Pool(self.connect, size=size)

    async def connect(self) -> Connection[Any]:
        """A connection outside the pool (listening, session locks); the caller closes it."""
        connection: Connection[Any] = await asyncpg.connect(
            self.url,
            timeout=5,
            command_timeout=ANSWERED_WITHIN,
            statement_cache_size=self._cached,
            server_settings={"application_name": "tenantry"} | self._limits,
        )
        await self._admit(connection)
        return connection

    async def _admit(self, connection: Connection[Any]) -> None:
        if self._guard is None:
            return
        try:
            await self._guard(connection)
        except BaseException:
            connection.terminate()
            raise

    @asynccontextmanager
    async def transaction(self, context: str) -> AsyncIterator[Connection[Any]]:
        """A transaction opened in one message; committed at the end, rolled back by whatever is raised inside."""
        connection, _ = await self.begin(context)
        try:
            yield connection
            await commit(connection)
        except BaseException as error:
            await self.abandon(connection)
            if isinstance(error, LOST):
                raise DatabaseUnavailable from error
            raise
        self.pool.release(connection)

    async def begin(self, context: str, *, reading: bool = False) -> tuple[Connection[Any], str]:
        """Open a transaction in a context; whoever calls ends it with `commit` and a release, or with `abandon`.

        Gives its connection, and what PostgreSQL answered to the last of the context's words.
        One that was opened for reading can change nothing, says PostgreSQL, and may be ended with `leave` too.
        """
        opening = f"begin{' read only' if reading else ''};{self.clock.statement()}{context}"
        try:
            return await self._open(opening)
        except LOST:
            # an idle connection died with its server, and with it perhaps all the others: nothing was asked of it yet,
            # so a second try on a new one is safe
            self.pool.forget_idle()
            try:
                return await self._open(opening)
            except LOST as error:
                raise DatabaseUnavailable from error

    async def _open(self, opening: str) -> tuple[Connection[Any], str]:
        connection = await self.pool.acquire()
        if connection.is_in_transaction():
            # somebody only read in it, and left
            opening = f"rollback;{opening}"
        try:
            answered = await connection.execute(opening, timeout=OPENING_WITHIN)
        except (PostgresConnectionError, OperatorInterventionError):
            self.pool.discard(connection)
            raise
        except PostgresError:
            await self.abandon(connection)
            raise
        except BaseException:
            # unanswered: it may be in the transaction by the time that somebody else would use it
            self.pool.discard(connection)
            raise
        return connection, answered

    async def leave(self, connection: Connection[Any]) -> None:
        """Give back a connection in a transaction opened for reading: the next one on it ends that, or we soon do.

        Nothing depends on its end. A pooler, though, would keep a server's connection for it.
        """
        if self._lingers:
            self.pool.park(connection)
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(LINGER, self._end_parked)
        else:
            await self.abandon(connection)

    def _end_parked(self) -> None:
        self._sweep = None
        for connection in self.pool.unpark():
            task = asyncio.create_task(self.abandon(connection))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def abandon(self, connection: Connection[Any]) -> None:
        """Roll back; a connection that cannot even do that is closed."""
        try:
            if not connection.is_closed() and connection.is_in_transaction():
                # not its own `timeout`, which does not count the wait for a statement that is being cancelled
                async with asyncio.timeout(ROLLBACK_WITHIN):
                    await connection.execute("rollback")
        except (*LOST, PostgresError):
            self.pool.discard(connection)
        except BaseException:
            self.pool.discard(connection)
            raise
        else:
            self.pool.release(connection)

    def close(self) -> None:
        """Close the idle connections."""
        if self._sweep is not None:
            self._sweep.cancel()
        self.pool.close()
