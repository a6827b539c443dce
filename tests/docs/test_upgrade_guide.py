"""What the guides to upgrades and to growing type and say, on a real database and with real processes."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from howto_kit import DOCS, commands_of, types

from patience import until
from tenantry.foundation.data import migrations
from tenantry.testing import Databases, Installation

UPGRADES, SCALING = "howto/upgrades.md", "howto/scaling.md"
SQL = re.compile(r"^<!-- sql -->\n```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EMPTY = "nothing_in_it"
ROW = re.compile(r"^\| (.+) \| (.+) \|$", re.MULTILINE)


@pytest.fixture
async def empty(installation: Installation, databases: Databases) -> AsyncIterator[dict[str, str]]:
    """The settings of a database in which nothing is yet."""
    await _owner_says(installation, f"create database {EMPTY}")
    yield {"TENANTRY_DATABASE_URL": databases.url(EMPTY)}
    await _owner_says(installation, f"drop database {EMPTY} with (force)")


async def _owner_says(house: Installation, *statements: str) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(house.runtime.database.url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_is_to_be_done_is_shown_and_then_done(
    installation: Installation, empty: dict[str, str], tmp_path: Path
) -> None:
    [before], [migrate] = commands_of(UPGRADES, "before"), commands_of(UPGRADES, "migrate")
    shown = await types(installation, f"cd {tmp_path}\n{before}", more=empty)
    assert shown.returncode == 0, shown.stderr
    assert "to be migrated: 0001, 0002" in shown.stdout
    plan = (tmp_path / "plan.sql").read_text(encoding="utf-8")
    assert all(f"-- revision {revision}\n" in plan for revision in migrations.revisions())
    done = await types(installation, migrate, more=empty)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("migrated: 0001, ")
    assert (await types(installation, before, more=empty)).stdout.startswith("nothing to migrate")


async def test_a_process_of_before_answers_and_says_that_the_schema_is_ahead(installation: Installation) -> None:
    person = await installation.person()
    await _owner_says(installation, "update tenantry.migration set version_num = '9999'")

    async def ahead() -> bool:
        answer = await installation.client.get("/readyz")
        assert answer.status == 200
        return bool(answer.json["checks"]["migrations"] == "ahead")

    await until(ahead)
    assert (await person.get("/v1/users/me")).status == 200
    [back] = commands_of(UPGRADES, "back")
    refused = await types(installation, back)
    assert refused.returncode == 1
    said = (DOCS / UPGRADES).read_text(encoding="utf-8")
    assert f"    {refused.stderr.strip()}\n" in said


@pytest.mark.timeout(180)
async def test_what_is_started_in_numbers_serves_and_stops(installation: Installation) -> None:
    [start] = commands_of(SCALING)
    [look] = commands_of(SCALING, "look")
    port, ops, other = _free_ports(3)
    named = start.replace("8000", str(port)).replace("9465", str(other))
    typed = f"""{named}
    until curl -fs http://127.0.0.1:{port}/readyz; do sleep 0.1; done
    curl -fsS http://127.0.0.1:{ops}/metrics > /dev/null
    until curl -fs http://127.0.0.1:{other}/metrics > /dev/null; do sleep 0.1; done
    {look}
    started=$(jobs -p)
    kill $started
    for one in $started; do wait "$one"; done
    echo both ended well"""
    more = {"TENANTRY_OPS_LISTEN": f"127.0.0.1:{ops}", "TENANTRY_DATABASE_POOL": "4"}
    async with asyncio.timeout(80):
        done = await types(installation, typed, more=more)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert '"ready"' in done.stdout
    assert done.stdout.endswith("both ended well\n")


def _free_ports(number: int) -> list[int]:
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


async def test_the_limits_for_a_login_behind_a_pooler_are_those_of_our_connections(
    installation: Installation,
) -> None:
    [written] = SQL.findall((DOCS / SCALING).read_text(encoding="utf-8"))
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(installation.runtime.database.url)
    try:
        whole = connection.transaction()
        await whole.start()
        await connection.execute("create role somebody")
        await connection.execute(written.replace("role tenantry", "role somebody"))
        found = await connection.fetchval(
            "select setconfig from pg_db_role_setting join pg_roles on pg_roles.oid = setrole "
            "where rolname = 'somebody'"
        )
        await whole.rollback()
    finally:
        await connection.close()
    async with installation.runtime.database.transaction("set local role tenantry_system") as ours:
        for setting in found:
            name, _, value = setting.partition("=")
            assert await ours.fetchval("select current_setting($1)", name) == value


def test_each_figure_is_one_of_the_readmes() -> None:
    page = (DOCS / SCALING).read_text(encoding="utf-8").partition("## What one core does")[2].partition("## ")[0]
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8").partition("## Measured")[2]
    figures = [figure for _, cell in ROW.findall(page)[2:] for figure in re.findall(r"[\d.,]*\d", cell)]
    assert len(figures) >= 8
    assert not [figure for figure in figures if figure not in readme]
