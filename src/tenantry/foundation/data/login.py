"""The login that the application uses: one that row security cannot hold is refused in production.

Asked before a process starts, and of a database that was away then as soon as it is there.
"""

from __future__ import annotations

from typing import Any

import asyncpg
from asyncpg import Connection
from asyncpg.exceptions import PostgresError

from tenantry.foundation.data.database import LOST
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.logs import get_logger

_RIGHTS = "select rolsuper, rolbypassrls from pg_roles where rolname = session_user"
log = get_logger("tenantry.database")


class DangerousLogin(Exception):
    """The database login may do more than an application should."""


async def refuse_dangerous_login(url: str) -> None:
    """Raise DangerousLogin for a superuser or one with BYPASSRLS; a database that is away is asked nothing."""
    try:
        connection = await asyncpg.connect(url, timeout=5, command_timeout=5)
    except (*LOST, PostgresError):
        return
    try:
        await _look_at(connection)
    finally:
        await connection.close()


class LoginGuard:
    """Lets no connection of a process in before one has shown that its login may not do too much."""

    def __init__(self) -> None:
        self._passed = self._told = False

    async def __call__(self, connection: Connection[Any]) -> None:
        """Refuse as if the database were away, and tell the operator why; later connections cost nothing."""
        if self._passed:
            return
        try:
            await _look_at(connection)
        except DangerousLogin as danger:
            self._tell(danger)
            raise DatabaseUnavailable from danger
        self._passed = True

    def _tell(self, danger: DangerousLogin) -> None:
        # once: every request and every second brings another connection
        if not self._told:
            log.error("the database login is refused", reason=str(danger))
        self._told = True


async def _look_at(connection: Connection[Any]) -> None:
    rights = await connection.fetchrow(_RIGHTS)
    if rights is not None and (rights["rolsuper"] or rights["rolbypassrls"]):
        raise DangerousLogin(
            "TENANTRY_DATABASE_URL names a superuser or a role with BYPASSRLS: tenants would not be kept apart"
        )
