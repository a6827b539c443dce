"""What the guide to backups types: a dump by a login of its own, a restore on another server, and the log goes on."""

from __future__ import annotations

import asyncio
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from howto_kit import PATH, commands_of, types

from tenantry.foundation.data import migrations
from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.foundation.data.embedded.binaries import PACKAGE
from tenantry.foundation.data.embedded.cluster import SUPERUSER
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Installation, installed
from tenantry.testing.installation import PASSWORD

PAGE = "howto/backups.md"
PROGRAMS = f"{sysconfig.get_path('platlib')}/{PACKAGE}/pginstall/bin:{PATH}"
OTHER_KEYS = "other:b3RoZXItLTMyLWJ5dGVzLWxvbmcta2V5LS0tLS0tLS0="
SPENT = 3000


def _as(url: str, login: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{login}:{password}@{parts.netloc.rpartition('@')[2]}"))


async def _typed(house: Installation, name: str, folder: Path, **named: str) -> subprocess.CompletedProcess[str]:
    [block] = commands_of(PAGE, name)
    more = {"PATH": PROGRAMS, "TENANTRY_DATABASE_URL": house.runtime.database.url}
    return await types(house, f"cd {folder}\n{block}", more=more, **named)


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[str]:
    server = EmbeddedPostgres(folder, durable=False)
    try:
        yield await asyncio.to_thread(server.start)
    finally:
        await asyncio.to_thread(server.stop)


@pytest.fixture
async def installation(registry: Registry, tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation on a server of its own, whose administrator is known."""
    async with _server(tmp_path / "old") as url:
        await migrations.migrate(url, test_clock=True)
        async with installed(url, tmp_path / "data", registry=registry) as house:
            yield house


@pytest.fixture
async def keeper(installation: Installation, tmp_path: Path) -> str:
    """The URL of the guide's login for backups."""
    url = installation.runtime.database.url
    superuser = (tmp_path / "old" / f"{SUPERUSER}.password").read_text().strip()
    above = _as(url, SUPERUSER, superuser)
    done = await _typed(installation, "login", tmp_path, administrator=above, password="of the keeper")
    assert done.returncode == 0, done.stderr
    return _as(url, "keeper", "of%20the%20keeper")


async def _owner_says(url: str, *statements: str) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _renamed(owner: Client, org: str, name: str) -> None:
    answer = await owner.patch(f"/v1/orgs/{org}", {"name": name})
    assert answer.status == 200, answer


async def test_a_restored_house_lets_people_in_and_its_log_goes_on(
    installation: Installation, keeper: str, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenantry.foundation.events.following.HELD_BACK_WITHIN", 1.0)
    team = await installation.team()
    # transactions that a new server has not had: places of the old log are beyond all that it will give out
    await _owner_says(installation.runtime.database.url, *["select pg_current_xact_id()"] * SPENT)
    await _renamed(team.owner, team.org, "Before")
    assert await installation.drain_consumers() > 0
    done = await _typed(installation, "dump", tmp_path, keeper=keeper)
    assert done.returncode == 0, done.stderr
    async with _server(tmp_path / "server") as new:
        done = await _typed(installation, "restore", tmp_path, new=new)
        assert done.returncode == 0, done.stderr
        await _overlooks_what_happens(new, tmp_path / "early", registry, team.owner.email, team.org)
        done = await _typed(installation, "epoch", tmp_path, new=new)
        assert done.returncode == 0, done.stderr
        async with installed(new, tmp_path / "later", registry=registry) as house:
            done = await _typed(house, "check", tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            assert (await house.client.get("/readyz")).status == 200
            owner = await _back_in(house, team.owner.email)
            await _renamed(owner, team.org, "After")
            assert await house.drain_consumers() > 0
            lost = await types(house, "tenantry doctor", more={"TENANTRY_MASTER_KEYS": OTHER_KEYS})
            assert lost.returncode == 1
            assert ["keys", "missing"] in [line.split()[:2] for line in lost.stdout.splitlines()]


async def _overlooks_what_happens(new: str, data: Path, registry: Registry, email: str, org: str) -> None:
    """Why the epoch is raised: without it consumers read nothing of what happens."""
    async with installed(new, data, registry=registry) as house:
        await _renamed(await _back_in(house, email), org, "Overlooked")
        with pytest.raises(TimeoutError):
            await house.drain_consumers()


async def _back_in(house: Installation, email: str) -> Client:
    answer = await house.client.post("/v1/auth/login", {"email": email, "password": PASSWORD})
    assert answer.status == 200, answer
    return house.client.signed_in(answer.json)


async def test_a_login_that_may_not_pass_the_walls_makes_no_dump(
    installation: Installation, keeper: str, tmp_path: Path
) -> None:
    owner = installation.runtime.database.url
    done = await _typed(installation, "dump", tmp_path, keeper=owner)
    assert done.returncode != 0
    assert "row-level security" in done.stderr
    assert (await _typed(installation, "dump", tmp_path, keeper=keeper)).returncode == 0
