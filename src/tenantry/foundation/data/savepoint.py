"""Savepoints: a part of a transaction that can be taken back alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asyncpg import Connection


@asynccontextmanager
async def savepoint(connection: Connection[Any], session: Any = None) -> AsyncIterator[None]:
    """What is changed inside stays if nothing is raised; with an ORM's session, also what that has in mind.

    Savepoints nest: PostgreSQL takes the innermost of a name.
    """
    if session is not None:
        async with session.begin_nested():
            yield
        return
    await connection.execute("savepoint apart")
    try:
        yield
    except Exception:
        await connection.execute("rollback to savepoint apart; release savepoint apart")
        raise
    await connection.execute("release savepoint apart")
