"""The embedded PostgreSQL: what the one who starts it gets, and what it keeps to itself."""

# ruff: noqa: ASYNC240  processes and their files are what is tested; nothing runs beside

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from .processes import ask, mode, on_linux, server_pid, socket_folder, started


async def test_the_owner_makes_roles_and_databases_but_is_no_superuser(running: tuple[str, Path]) -> None:
    dsn, _ = running
    rights = "select array[rolcreaterole, rolcreatedb, rolsuper, rolbypassrls, rolreplication]"
    assert await ask(dsn, f"{rights} from pg_roles where rolname = current_user") == [
        True,
        True,
        *[False] * 3,
    ]
    owner = "select pg_get_userbyid(datdba) = current_user from pg_database where datname = current_database()"
    assert await ask(dsn, owner) is True
    assert await ask(dsn, "select current_database()") == "tenantry"


async def test_the_database_is_utf8_in_the_builtin_locale_with_checksums_and_statement_statistics(
    running: tuple[str, Path],
) -> None:
    dsn, _ = running
    locale = "select array[pg_encoding_to_char(encoding), datlocprovider::text, datlocale] from pg_database"
    assert await ask(dsn, f"{locale} where datname = current_database()") == ["UTF8", "b", "C.UTF-8"]
    assert await ask(dsn, "show data_checksums") == "on"
    assert await ask(dsn, "show timezone") == "UTC"
    assert await ask(dsn, "select count(*) > 0 from pg_stat_statements") is True
    assert str(await ask(dsn, "show server_version")).startswith("18.")


async def test_a_database_made_later_has_the_statement_statistics_too(running: tuple[str, Path]) -> None:
    dsn, _ = running
    await ask(dsn, "create database later")
    assert await ask(dsn, "select count(*) >= 0 from pg_stat_statements", database="later") is True


async def test_only_a_throw_away_server_gives_up_durability(running: tuple[str, Path], folder: Path) -> None:
    promises = ("fsync", "full_page_writes", "synchronous_commit")
    # what was acknowledged survives a killed server either way; only the machine could lose it
    assert [await ask(running[0], f"show {name}") for name in promises] == ["off", "off", "on"]
    with started(folder, durable=True) as dsn:
        assert [await ask(dsn, f"show {name}") for name in promises] == ["on"] * 3


async def test_a_chosen_setting_overrules_ours(folder: Path) -> None:
    with started(folder, settings={"max_connections": "17"}) as dsn:
        assert await ask(dsn, "show max_connections") == "17"


async def test_a_second_run_finds_the_rows_and_the_password_of_the_first(folder: Path) -> None:
    with started(folder) as first:
        await ask(first, "create table kept as select 42 as answer")
    with started(folder) as second:
        assert await ask(second, "select answer from kept") == 42
    assert urlsplit(first).password == urlsplit(second).password


async def test_a_port_in_the_environment_leads_nobody_astray(
    running: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    assert await ask(running[0], "select 1") == 1


async def test_it_lives_at_any_depth_with_spaces_in_its_path_and_beside_another(tmp_path: Path, folder: Path) -> None:
    deep = tmp_path / "a folder with spaces" / "/".join(["deeper"] * 40)
    with started(deep) as one, started(folder) as other:
        assert len(str(deep)) > 300
        await ask(one, "create table mine ()")
        assert await ask(other, "select to_regclass('mine')::text") is None
        assert socket_folder(one) != socket_folder(other)


async def test_nobody_enters_without_the_password(running: tuple[str, Path]) -> None:
    dsn, folder = running
    for role in ("tenantry", "tenantry_superuser"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(dsn, "select 1", user=role, password="guessed")
    rules = [line.split() for line in (folder / "postgres/pg_hba.conf").read_text().splitlines()]
    assert {rule[-1] for rule in rules if rule and rule[0] in {"local", "host"}} == {"scram-sha-256"}


async def test_the_superuser_has_a_password_of_its_own(running: tuple[str, Path]) -> None:
    dsn, folder = running
    password = (folder / "tenantry_superuser.password").read_text().strip()
    who = await ask(dsn, "show is_superuser", user="tenantry_superuser", password=password)
    assert (who, password != urlsplit(dsn).password) == ("on", True)


async def test_its_files_are_closed_to_everybody_else(running: tuple[str, Path]) -> None:
    dsn, folder = running
    assert [mode(place) for place in (folder, folder / "postgres", socket_folder(dsn))] == [0o700] * 3
    files = ("tenantry.password", "tenantry_superuser.password", "postgres.log", "supervisor.lock")
    assert [mode(folder / name) for name in files] == [0o600] * 4
    assert {(folder / name).stat().st_uid for name in files} == {os.geteuid()}


async def test_it_listens_on_no_network_unless_told(running: tuple[str, Path], folder: Path) -> None:
    assert await ask(running[0], "show listen_addresses") == ""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started(folder, listen=f"127.0.0.1:{port}") as dsn:
        assert await ask(dsn, "select 1") == 1
        over_tcp = dsn.split("?")[0]
        assert await ask(over_tcp, "select 1", host="127.0.0.1", port=port) == 1
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(over_tcp, "select 1", host="127.0.0.1", port=port, password="guessed")


@on_linux
async def test_the_server_sees_neither_our_environment_nor_our_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENANTRY_MASTER_KEY", "secret-of-ours")
    with started(folder):
        pid = server_pid(folder)
        assert b"secret-of-ours" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert os.getsid(pid) != os.getsid(0)
