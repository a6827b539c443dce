"""Somebody joins, comes back, changes something, leaves: and nowhere stays what could be used to get in."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog

from tenantry.entrypoints.http.witness import Witness
from tenantry.foundation.domain import Registry
from tenantry.foundation.logs import configure_logs
from tenantry.testing import Installation, installed
from tenantry.testing.installation import MASTER_KEYS

PASSWORD = "a canary sings at midnight"


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Everything that is logged, down to the smallest remark."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = StringIO()
    configure_logs(level="debug", form="json", stream=stream)
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


async def _journey(house: Installation) -> tuple[list[str], str]:
    """The whole story; gives every secret that was handed out on the way, and the last name of the person."""
    answer = await house.client.post(
        "/v1/auth/register", {"email": "ada@example.com", "password": PASSWORD, "name": "Ada Lovelace"}
    )
    assert answer.status == 202
    proof = answer.json["registration"]
    assert (await house.client.post("/v1/auth/resend", {"email": "ada@example.com"})).status == 202
    mailed = await house.mailed_token("ada@example.com")
    verified = await house.client.post("/v1/auth/verify-email", {"token": mailed, "registration": proof})
    assert verified.status == 200
    first = house.client.signed_in(verified.json)
    assert (await first.get("/v1/users/me")).json["name"] == "Ada Lovelace"

    assert (
        await house.client.post("/v1/auth/login", {"email": "ada@example.com", "password": PASSWORD + "!"})
    ).status == 401
    login = await house.client.post("/v1/auth/login", {"email": "Ada@Example.com", "password": PASSWORD})
    second = house.client.signed_in(login.json)
    refreshed = await house.client.post("/v1/auth/refresh", {"refresh_token": login.json["refresh_token"]})
    assert refreshed.status == 200
    third = house.client.signed_in(refreshed.json)
    tag = (await third.get("/v1/users/me")).headers["etag"]
    renamed = await third.patch("/v1/users/me", {"name": "Ada King"}, headers={"if-match": tag})
    assert renamed.status == 200

    again = await house.client.post("/v1/auth/refresh", {"refresh_token": refreshed.json["refresh_token"]})
    assert again.status == 200
    stolen = await house.client.post("/v1/auth/refresh", {"refresh_token": login.json["refresh_token"]})
    assert stolen.code == "refresh_reused"
    assert (await second.get("/v1/users/me")).status == 401
    assert (await first.get("/v1/users/me")).status == 200
    assert (await first.post("/v1/auth/logout", {"scope": "all"})).status == 204
    assert (await first.get("/v1/users/me")).status == 401
    await house.drain_jobs()

    tokens = [
        given.json[kind] for given in (verified, login, refreshed, again) for kind in ("access_token", "refresh_token")
    ]
    return [PASSWORD, proof, mailed, *tokens], "King"


async def _dump(url: str) -> str:
    """Every row of every table, as text."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "select format('tenantry.%I', relname) as name from pg_class"
            " where relnamespace = 'tenantry'::regnamespace and relkind in ('r', 'p') and not relispartition"
        )
        await connection.execute("set role tenantry_system")
        rows = [str(await connection.fetch(f"select whole::text from {table['name']} whole")) for table in tables]
        return "\n".join(rows)
    finally:
        await connection.close()


def _spellings(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ]


async def test_somebody_joins_comes_back_and_leaves_without_a_secret_left_behind(
    database_url: str, registry: Registry, tmp_path: Path, logged: StringIO
) -> None:
    async with installed(database_url, tmp_path, registry=registry, witness=Witness(stream=logged)) as house:
        secrets, name = await _journey(house)
        dump = await _dump(database_url)
    assert len(secrets) == len(set(secrets)) == 11
    assert name in dump
    assert "ada@example.com" in dump
    assert logged.getvalue().count('"event":"request"') == 15
    key = MASTER_KEYS.partition(":")[2]
    for secret in [*secrets, key, base64.b64decode(key).decode()]:
        for spelling in _spellings(secret):
            assert spelling not in dump, secret
            assert spelling not in logged.getvalue(), secret
    # what a stored hash or a sealed key needs to be of use is not beside it either
    assert "ada@example.com" not in logged.getvalue()
    assert "argon2id" not in logged.getvalue()


async def test_somebody_joins_through_the_two_mails_of_two_impatient_clicks(installation: Installation) -> None:
    first = await installation.register("ada@example.com")
    second = await installation.register("ada@example.com")
    await installation.drain_jobs()
    assert len(await installation.mails()) == 2
    newest = await installation.mailed_token("ada@example.com")
    answers = [
        await installation.client.post("/v1/auth/verify-email", {"token": newest, "registration": proof})
        for proof in (first, second)
    ]
    assert sorted(answer.status for answer in answers) == [200, 410]
    assert len(await installation.rows("select from tenantry.users")) == 1
