"""`work.session()`: an SQLAlchemy session on the Work's own connection, for plugin authors who prefer an ORM.

The session sees and changes what the Work does, in its transaction and context, and ends nothing: the Work commits.
Imported by the first Work that is asked for one; needs the extra `tenantry[orm]`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cache
from typing import Any, NoReturn

from asyncpg import Connection
from asyncpg.exceptions import InterfaceError, PostgresError
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from sqlalchemy.util import LRUCache, greenlet_spawn

from tenantry.foundation.logs import get_logger

log = get_logger("tenantry.orm")
URL = "postgresql+asyncpg://"


class _Borrowed:
    """The Work's connection as SQLAlchemy's driver sees it: alive while the Work is, and never closed."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self.over = False

    def __getattr__(self, name: str) -> Any:
        if self.over:
            raise InterfaceError("the Work of this session has ended")
        return getattr(self._connection, name)

    async def close(self, **_: Any) -> None:
        """Nothing: the Work gives the connection back."""

    def terminate(self) -> None:
        """Nothing, for the same reason."""


class _Bound(Session):
    """A session whose transaction is another's to end."""

    def commit(self) -> None:
        """Refused."""
        self._refuse()

    def rollback(self) -> None:
        """Refused."""
        self._refuse()

    def close(self) -> None:
        """Refused."""
        self._refuse()

    def invalidate(self) -> None:
        """Refused."""
        self._refuse()

    def end(self) -> None:
        """Let go of everything, once the Work ends."""
        super().close()

    def _refuse(self) -> NoReturn:
        raise TypeError("a work's session does not end its transaction: the Work commits when it is left")


class WorkSession(AsyncSession):
    """An AsyncSession for as long as its Work; `flush` and `begin_nested` are the author's, the end is the Work's."""

    sync_session_class = _Bound

    def __init__(self, connection: Connection[Any]) -> None:
        self._borrowed = _Borrowed(connection)
        super().__init__(_engine(self._borrowed), expire_on_commit=False)

    async def settle(self) -> None:
        """Write what is still pending, just before the Work commits."""
        if self.in_nested_transaction():
            raise TypeError("a savepoint of the work's session was left open")
        await self.flush()

    async def end(self) -> None:
        """From here on it is of no use."""
        session = self.sync_session
        if isinstance(session, _Bound) and not self._borrowed.over:
            try:
                await greenlet_spawn(session.end)
            finally:
                self._borrowed.over = True

    async def forsake(self) -> None:
        """The same, for a Work that is rolled back: whatever it says to that is of no consequence."""
        try:
            await self.end()
        except Exception as error:
            # what ended the Work is already on its way to the caller
            log.warning("a work's session did not end well", exc_info=error)

    def cause_of(self, error: BaseException) -> BaseException:
        """What PostgreSQL said, out of SQLAlchemy's wrapping."""
        said = getattr(error.orig, "__cause__", None) if isinstance(error, DBAPIError) else None
        return said if isinstance(said, PostgresError | InterfaceError) else error


class _Dialect(PGDialect_asyncpg):
    """PostgreSQL 15 or later, which every connection of ours is: nothing that has to be asked of each."""

    supports_statement_cache = True
    # the driver's JSON codecs are not put on our connection, so that SQLAlchemy has to read the text itself
    supports_native_json_deserialization = False
    supports_identity_columns = True
    _supports_jsonb_subscripting = True
    _backslash_escapes = False
    server_version_info = (15,)
    default_schema_name = "public"


def _engine(borrowed: _Borrowed) -> AsyncEngine:
    """An engine of this one connection, with the dialect and the compiled statements that the process has once."""
    dialect, compiled = _of_the_process()

    async def lend() -> _Borrowed:
        if borrowed.over:
            raise InterfaceError("the Work of this session has ended")
        return borrowed

    def connect() -> Any:
        connection = dialect.connect(async_creator_fn=lend)
        # the transaction is there, and the Work's: SQLAlchemy begins and ends none of its own
        connection.autocommit = True
        return connection

    pool = NullPool(connect, dialect=dialect)
    return AsyncEngine(Engine(pool, dialect, make_url(URL), execution_options={"compiled_cache": compiled}))


@cache
def _of_the_process() -> tuple[_Dialect, MutableMapping[Any, Any]]:
    make: Any = _Dialect
    return make(dbapi=make.import_dbapi()), LRUCache(500)
