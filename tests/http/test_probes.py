"""Probes: alive, ready, and what is wrong otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from tenantry.foundation import readiness
from tenantry.testing import Installation, Response


@pytest.fixture(autouse=True)
def _asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "FRESH_FOR", 0.0)


@asynccontextmanager
async def _unreachable(database_url: str) -> AsyncIterator[None]:
    """The database refuses everybody, and whoever was inside is thrown out."""
    url = urlsplit(database_url)
    connection = await asyncpg.connect(url._replace(path="/postgres").geturl())
    name = url.path.strip("/")
    try:
        await connection.execute(f'alter database "{name}" allow_connections false')
        await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        yield
    finally:
        await connection.execute(f'alter database "{name}" allow_connections true')
        await connection.close()


async def _until(installation: Installation, path: str, status: int) -> Response:
    async with asyncio.timeout(10):
        while (answer := await installation.client.get(path)).status != status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return answer


async def test_a_house_in_order_is_alive_ready_and_well(house: Installation) -> None:
    assert (await house.client.get("/livez")).json == {"status": "alive"}
    checks = {"database": "ok", "migrations": "ok", "keys": "ok"}
    assert (await house.client.get("/readyz")).json == {"status": "ready", "checks": checks}
    assert (await house.client.get("/healthz")).json == {"status": "ok", **checks}


async def test_without_its_database_it_is_alive_not_ready_and_recovers_by_itself(
    installation: Installation, database_url: str
) -> None:
    ada = await installation.person()
    async with _unreachable(database_url):
        refused = await _until(installation, "/readyz", 503)
        assert refused.code == "not_ready"
        assert refused.json["checks"]["database"] == "unreachable"
        assert "retry-after" in refused.headers
        assert (await installation.client.get("/livez")).status == 200
        health = await installation.client.get("/healthz")
        assert (health.status, health.json["status"], health.json["database"]) == (200, "degraded", "unreachable")
        person = await ada.get("/v1/users/me")
        assert (person.status, person.code) == (503, "database_unavailable")
        assert "retry-after" in person.headers
        login = {"email": ada.email, "password": "any password"}
        assert (await installation.client.post("/v1/auth/login", login)).code == "database_unavailable"
    assert (await _until(installation, "/readyz", 200)).status == 200
    assert (await installation.client.get("/healthz")).json["status"] == "ok"
    assert (await ada.get("/v1/users/me")).status == 200


async def test_the_public_keys_are_shown_while_the_database_is_away(
    installation: Installation, database_url: str
) -> None:
    keys = (await installation.client.get("/.well-known/jwks.json")).json
    installation.runtime.keys._loaded_at = float("-inf")  # as if they had been read long ago
    async with _unreachable(database_url):
        answer = await installation.client.get("/.well-known/jwks.json")
        assert (answer.status, answer.json) == (200, keys)


async def test_it_is_not_ready_for_a_schema_that_is_behind(installation: Installation, database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    head = await owner.fetchval("update tenantry.migration set version_num = '0001' returning version_num")
    assert head
    answer = await installation.client.get("/readyz")
    assert (answer.status, answer.json["checks"]["migrations"]) == (503, "behind")
    await owner.close()


async def test_it_is_not_ready_without_a_schema(installation: Installation, database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute("drop schema tenantry cascade")
    answer = await installation.client.get("/readyz")
    assert (answer.status, answer.json["checks"]["database"]) == (503, "ok")
    assert answer.json["checks"]["migrations"] != "ok"
    await owner.close()


async def test_it_is_not_ready_without_a_key_to_sign_with(installation: Installation) -> None:
    installation.runtime.keys._signing = None
    answer = await installation.client.get("/readyz")
    assert (answer.status, answer.json["checks"]["keys"]) == (503, "missing")


async def test_many_probes_at_once_ask_the_database_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "FRESH_FOR", 60.0)
    asked = 0
    begin = installation.runtime.database.begin

    async def counting(context: str) -> object:
        nonlocal asked
        asked += 1
        return await begin(context)

    monkeypatch.setattr(installation.runtime.database, "begin", counting)
    answers = await asyncio.gather(*(installation.client.get("/readyz") for _ in range(30)))
    assert {answer.status for answer in answers} == {200}
    assert asked == 1
