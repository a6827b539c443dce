"""A login that row security cannot hold serves nobody in production, also where its database came after the start."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tenantry.foundation.data.clock import Clock
from tenantry.foundation.data.database import Database, system_context
from tenantry.foundation.data.embedded.cluster import SUPERUSER
from tenantry.foundation.data.login import LoginGuard
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.testing import Databases

from . import proxied
from .app import Program, asked, environment, eventually, free_port, readiness, speaking, status_of, until_ready
from .conftest import Mortal

REFUSED = "the database login is refused"
PRODUCTION = {
    "TENANTRY_ENVIRONMENT": "production",
    "TENANTRY_ALLOWED_HOSTS": "127.0.0.1",
    "TENANTRY_PUBLIC_URL": "https://app.example.com",
    "TENANTRY_SMTP_URL": "smtp://127.0.0.1:1",
    "TENANTRY_MAIL_FROM": "no-reply@example.com",
    "TENANTRY_RATE_LIMITS": "on",
}


def _as(url: str, login: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{login}:{password}@{parts.netloc.rpartition('@')[2]}"))


@dataclass(frozen=True)
class Login:
    """A database login that row security does not hold, and a hand to change that."""

    name: str
    url: str
    above: str

    async def may(self, right: str) -> None:
        """Change what it may do, such as `nobypassrls`."""
        await _run(self.above, f"alter role {self.name} {right}")


async def _run(url: str, *statements: str) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def dangerous(mortal: Mortal) -> AsyncIterator[Login]:
    """A login with BYPASSRLS on a migrated database."""
    databases, name, password = Databases(mortal.url), f"dangerous_{secrets.token_hex(4)}", secrets.token_hex(8)
    above = _as(mortal.url, SUPERUSER, (mortal.folder / f"{SUPERUSER}.password").read_text().strip())
    await databases.prepare()
    create = f"create role {name} login bypassrls password '{password}' in role tenantry_app, tenantry_system"
    await _run(above, create)
    try:
        async with databases.fresh() as url:
            yield Login(name, _as(url, name, password), above)
    finally:
        await databases.forget()
        await _run(above, f"drop role {name}")


async def _selects(database: Database) -> int:
    async with database.transaction(system_context()) as connection:
        return int(await connection.fetchval("select 1"))


@pytest.mark.parametrize("right", ["bypassrls", "superuser"])
async def test_no_connection_of_such_a_login_is_handed_out(dangerous: Login, right: str) -> None:
    await dangerous.may("nobypassrls")
    await dangerous.may(right)
    database = Database(dangerous.url, clock=Clock(), guard=LoginGuard())
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await _selects(database)
        with pytest.raises(DatabaseUnavailable):
            await database.connect()
    await _nobody_is_connected(dangerous)
    await dangerous.may(f"no{right}")
    assert await _selects(database) == 1
    database.close()


async def _nobody_is_connected(login: Login) -> None:
    async def nobody() -> bool:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(login.above)
        try:
            found = await connection.fetchval("select count(*) from pg_stat_activity where usename = $1", login.name)
        finally:
            await connection.close()
        return bool(found == 0)

    await eventually(nobody, within=5)


async def test_a_connection_that_is_refused_is_closed(database_url: str) -> None:
    met: list[asyncpg.Connection[Any]] = []

    async def refuse(connection: asyncpg.Connection[Any]) -> None:
        met.append(connection)
        raise DatabaseUnavailable

    with pytest.raises(DatabaseUnavailable):
        await Database(database_url, clock=Clock(), guard=refuse).connect()
    assert [connection.is_closed() for connection in met] == [True]


async def test_a_login_that_was_looked_at_once_is_not_asked_again(dangerous: Login) -> None:
    await dangerous.may("nobypassrls")
    database = Database(dangerous.url, clock=Clock(), guard=LoginGuard())
    assert await _selects(database) == 1
    await dangerous.may("bypassrls")
    assert await asyncio.gather(*(_selects(database) for _ in range(5))) == [1] * 5
    database.close()


@asynccontextmanager
async def _in_production(url: str, folder: Path) -> AsyncIterator[Program]:
    port = free_port()
    server = Program(("serve", "--port", str(port)), environment(url, folder, port) | PRODUCTION, folder / "log")
    server.start()
    try:
        yield server
    finally:
        await server.kill()


async def test_a_start_with_such_a_login_is_refused_in_one_sentence(dangerous: Login, tmp_path: Path) -> None:
    async with _in_production(dangerous.url, tmp_path) as server:
        assert await server.ended(within=20) == 1
        (sentence,) = server.lines()
        assert "BYPASSRLS" in sentence


async def test_a_process_whose_database_comes_later_serves_nobody_with_such_a_login(
    dangerous: Login, tmp_path: Path
) -> None:
    async with proxied(dangerous.url) as (proxy, through):
        proxy.toxics.refuse = True
        async with _in_production(through, tmp_path) as server:
            port = server.words[server.words.index("--port") + 1]
            async with speaking(f"http://127.0.0.1:{port}") as client:

                async def alive() -> bool:
                    return status_of(await asked(client.get("/livez"))) == 200

                await eventually(alive, within=20)
                proxy.toxics.heal()
                await server.says(REFUSED)
                body = {"email": "ada@example.com", "password": "whatever it is"}
                answer = await client.post("/v1/auth/login", body)
                assert (answer.status, answer.code) == (503, "database_unavailable")
                assert b"BYPASSRLS" not in answer.body
                assert await readiness(client) == 503
                assert sum(REFUSED in line for line in server.lines()) == 1
                await dangerous.may("nobypassrls")
                await until_ready(client)
