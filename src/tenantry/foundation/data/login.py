"""The login that the application uses: one that row security cannot hold is refused in production."""

from __future__ import annotations

import asyncpg
from asyncpg.exceptions import PostgresError

from tenantry.foundation.data.database import LOST

_RIGHTS = "select rolsuper, rolbypassrls from pg_roles where rolname = session_user"


class DangerousLogin(Exception):
    """The database login may do more than an application should."""


async def refuse_dangerous_login(url: str) -> None:
    """Raise DangerousLogin for a superuser or one with BYPASSRLS; a database that is away is asked nothing."""
    try:
        connection = await asyncpg.connect(url, timeout=5, command_timeout=5)
    except (*LOST, PostgresError):
        return
    try:
        rights = await connection.fetchrow(_RIGHTS)
    finally:
        await connection.close()
    if rights is not None and (rights["rolsuper"] or rights["rolbypassrls"]):
        raise DangerousLogin(
            "TENANTRY_DATABASE_URL names a superuser or a role with BYPASSRLS: tenants would not be kept apart"
        )
