"""Migrating: one at a time, whole revisions or nothing, and safe to repeat whatever happened before."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tenantry.foundation.data import migrations
from tenantry.testing import Databases

_names = itertools.count(1)
FINGERPRINT = """
    select string_agg(line, e'\n' order by line) from (
        select format('column %s %s %s %s', attrelid::regclass, attname, atttypid::regtype, attnotnull) as line
          from pg_attribute join pg_class on pg_class.oid = attrelid
         where relnamespace = 'tenantry'::regnamespace and attnum > 0 and not attisdropped
         union all
        select format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint
         where connamespace = 'tenantry'::regnamespace
         union all
        select format('policy %s %s %s %s', tablename, policyname, qual, with_check) from pg_policies
         where schemaname = 'tenantry'
         union all
        select format('grant %s %s', oid::regclass, relacl) from pg_class where relnamespace = 'tenantry'::regnamespace
         union all
        select format('function %s %s', proname, prosrc) from pg_proc where pronamespace = 'tenantry'::regnamespace
    ) as whole
"""


@asynccontextmanager
async def _empty(databases: Databases) -> AsyncIterator[str]:
    name = f"empty_{next(_names)}"
    await databases._run(f'create database "{name}"')
    try:
        yield databases.url(name)
    finally:
        await databases._drop(name)


@pytest.fixture
async def empty(databases: Databases) -> AsyncIterator[str]:
    """The URL of a database that nothing was done to."""
    async with _empty(databases) as url:
        yield url


async def _ask(url: str, statement: str, *arguments: Any) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def test_an_empty_database_gets_every_revision_in_order(empty: str) -> None:
    assert await migrations.pending(empty) == migrations.revisions()
    assert await migrations.migrate(empty) == migrations.revisions()
    assert await migrations.pending(empty) == []
    assert await _ask(empty, f"select version_num from {migrations.TABLE}") == migrations.revisions()[-1]


async def test_a_database_that_is_up_to_date_is_left_as_it_is(empty: str) -> None:
    await migrations.migrate(empty)
    before = await _ask(empty, FINGERPRINT)
    assert await migrations.migrate(empty) == []
    assert await _ask(empty, FINGERPRINT) == before


async def test_of_parallel_migrators_one_works_and_all_succeed(empty: str) -> None:
    done = await asyncio.gather(*(migrations.migrate(empty) for _ in range(4)))
    assert sorted(done, key=len) == [[], [], [], migrations.revisions()]


async def test_parallel_migrators_of_databases_on_one_server_all_succeed(databases: Databases) -> None:
    async with _empty(databases) as first, _empty(databases) as second, _empty(databases) as third:
        for _ in range(3):
            # roles belong to the server: all of them change the same ones
            await asyncio.gather(*(migrations.migrate(url) for url in (first, second, third)))
        assert await migrations.pending(third) == []


async def test_a_migrator_that_waits_too_long_says_so(empty: str) -> None:
    connection = await asyncpg.connect(empty)
    await connection.fetchval("select pg_advisory_lock($1)", migrations.LOCK)
    with pytest.raises(migrations.MigrationFailed, match="another migrator"):
        await migrations.migrate(empty, patience=0.1)
    await connection.close()
    assert await migrations.migrate(empty) == migrations.revisions()


@pytest.mark.parametrize("step", range(len(migrations.revisions()) + 2))
async def test_a_migrator_that_dies_between_two_steps_is_finished_by_the_next(
    empty: str, databases: Databases, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = migrations._step
    steps = itertools.count()

    async def dying(connection: asyncpg.Connection[Any], sql: str) -> None:
        if next(steps) == step:
            connection.terminate()
        await whole(connection, sql)

    monkeypatch.setattr(migrations, "_step", dying)
    with pytest.raises((asyncpg.InterfaceError, OSError, asyncpg.PostgresError)):
        await migrations.migrate(empty)
    monkeypatch.undo()
    await _is_finished_by_the_next(empty, databases)


@pytest.mark.parametrize(
    "statement", ["create table tenantry.events ", "create function tenantry.enter", "create table tenantry.job_runs"]
)
async def test_a_migrator_killed_in_the_middle_of_a_revision_leaves_nothing_of_it(
    empty: str, databases: Databases, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = migrations._step
    killed = []

    async def dying(connection: asyncpg.Connection[Any], sql: str) -> None:
        if statement in sql:
            killed.append(sql)
        await whole(
            connection, sql.replace(statement, "select pg_terminate_backend(pg_backend_pid()); " + statement, 1)
        )

    monkeypatch.setattr(migrations, "_step", dying)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await migrations.migrate(empty)
    assert len(killed) == 1
    monkeypatch.undo()
    await _is_finished_by_the_next(empty, databases)


async def _is_finished_by_the_next(url: str, databases: Databases) -> None:
    await migrations.migrate(url)
    async with _empty(databases) as never_killed:
        await migrations.migrate(never_killed)
        assert await _ask(url, FINGERPRINT) == await _ask(never_killed, FINGERPRINT)


async def test_each_restore_begins_an_epoch_of_its_own(empty: str) -> None:
    await migrations.migrate(empty)
    assert sorted(await asyncio.gather(*(migrations.raise_epoch(empty) for _ in range(3)))) == [2, 3, 4]
    connection = await asyncpg.connect(empty)
    assert await connection.fetchval("select tenantry.epoch()") == 4
    assert await migrations.migrate(empty) == []
    assert await connection.fetchval("select tenantry.epoch()") == 4
    await connection.close()


async def test_a_database_of_newer_code_is_not_touched(empty: str) -> None:
    await migrations.migrate(empty)
    await _ask(empty, f"update {migrations.TABLE} set version_num = '9999'")
    with pytest.raises(migrations.MigrationFailed, match="newer"):
        await migrations.migrate(empty)
    with pytest.raises(migrations.MigrationFailed, match="newer"):
        await migrations.pending(empty)


async def test_the_plan_is_what_runs(empty: str) -> None:
    connection = await asyncpg.connect(empty)
    await connection.execute("create schema tenantry")
    for _, sql in migrations.plan():
        await connection.execute(f"begin; {sql}; commit")
    assert await migrations.current(connection) == migrations.revisions()[-1]
    await connection.close()
    assert await migrations.pending(empty) == []


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_test_clock_moves_the_database_only_where_it_was_let_in(empty: str, allowed: bool) -> None:
    await migrations.migrate(empty, test_clock=allowed)
    connection = await asyncpg.connect(empty)
    async with connection.transaction():
        await connection.execute("set local tenantry.clock = '2001-02-03T04:05:06Z'")
        year = (await connection.fetchval("select tenantry.now()")).year
    assert (year == 2001) is allowed
    assert (await connection.fetchval("select tenantry.now()")).year > 2001
    await connection.close()


@pytest.mark.parametrize("login", ["app_login", "app login", 'app"; drop schema tenantry; --"'])
async def test_a_login_of_its_own_may_do_what_the_application_does_and_no_more(empty: str, login: str) -> None:
    quoted = '"' + login.replace('"', '""') + '"'
    owner = await asyncpg.connect(empty)
    await owner.execute(f"create role {quoted} login password 'x' nosuperuser nobypassrls")
    try:
        await migrations.migrate(empty, app_login=login)
        app = await asyncpg.connect(empty, user=login, password="x")
        async with app.transaction():
            await app.execute("set local role tenantry_app")
            assert await app.fetchval("select current_user") == "tenantry_app"
            assert await app.fetch("select from tenantry.users") == []
        assert await migrations.current(app) == migrations.revisions()[-1]
        for statement in ("select from tenantry.users", "create table tenantry.x ()", "drop table tenantry.users"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
        await app.close()
    finally:
        await owner.execute(f"grant {quoted} to current_user; drop owned by {quoted}; drop role {quoted}")
        await owner.close()
