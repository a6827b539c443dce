"""Databases for tests: one migrated template, and a copy of it for each test, on a real PostgreSQL."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tenantry.foundation.data import migrations
from tenantry.foundation.domain import Domain

TEMPLATE = "tenantry_template"
_numbers = itertools.count(1)


class Databases:
    """A server's databases: made from the template, dropped when the test is over."""

    def __init__(self, owner_url: str, *, plugins: Iterable[Domain] = ()) -> None:
        """`plugins` have their tables in them too."""
        self._owner_url = owner_url
        self._template = f"{TEMPLATE}_{os.getpid()}_{next(_numbers)}"
        self._histories = [domain.history for domain in plugins if domain.history is not None]

    def url(self, database: str) -> str:
        """The owner's URL of one database."""
        return urlunsplit(urlsplit(self._owner_url)._replace(path="/" + database))

    async def prepare(self) -> None:
        """Make and migrate the template."""
        await self._run(f'create database "{self._template}"')
        await migrations.migrate(self.url(self._template), test_clock=True, plugins=self._histories)

    async def forget(self) -> None:
        """Drop the template."""
        await self._drop(self._template)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """The URL of a database that is nobody else's."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        await self._run(f'create database "{name}" template "{self._template}"')
        try:
            yield self.url(name)
        finally:
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        drop = f'drop database if exists "{name}"'
        try:
            await self._run(f"{drop} with (force)")
        except asyncpg.InsufficientPrivilegeError:
            # a backend that is not the owner's to end, such as one of autovacuum; PostgreSQL waits 5 s for it to leave
            await self._run(drop)

    async def _run(self, statement: str) -> None:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(self._owner_url, timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
