"""Bringing a database to the schema this code needs: one migrator at a time, each revision in a transaction of its own.

The revisions are Alembic's; they are rendered to SQL and run over our own driver, so that `--plan` shows exactly what
`migrate` does. Safe to run on every deploy and after being killed at any statement. A plugin has a history of its own
in a schema of its own, run after core's; one that fails holds up neither core nor the others.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import io
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from asyncpg import Connection
from asyncpg.exceptions import InsufficientPrivilegeError, LockNotAvailableError

LOCK = 0x7E4A47
VERSIONS = "tenantry.migrations"
_CLOCKS = {
    False: "select transaction_timestamp()",
    True: "select coalesce(nullif(current_setting(''tenantry.clock'', true), '''')::timestamptz, "
    "transaction_timestamp())",
}
# which of our two roles a login cannot take yet
_LACKS = """
    select role
      from unnest(array['tenantry_app', 'tenantry_system']) as role
     where not pg_has_role($1, role, $2)
"""
_ASK_AN_ADMINISTRATOR = (
    "this login may not grant the roles that the application works under; let an administrator say: "
    "grant tenantry_app, tenantry_system to {login};"
)


class MigrationFailed(Exception):
    """The database could not be brought to the schema of this code; the sentence says why."""


class History(msgspec.Struct, frozen=True):
    """A line of revisions, one a file `NNNN_what.py` in a folder, and the schema that they make and are counted in."""

    schema: str
    folder: Path

    @property
    def table(self) -> str:
        """Where the database says which revision it is at."""
        return f"{self.schema}.migration"

    def named(self, revision: str) -> str:
        """A revision as it is told to an operator; core's need no first name."""
        return revision if self == CORE else f"{self.schema}:{revision}"


CORE = History("tenantry", Path(str(importlib.resources.files(VERSIONS) / "versions")))
TABLE = CORE.table


def revisions(history: History = CORE) -> list[str]:
    """A history's revisions in order, read off the file names, so that asking costs nothing."""
    names = (file.name for file in history.folder.iterdir() if file.suffix == ".py")
    return sorted(name.partition("_")[0] for name in names if name[:4].isdigit())


async def current(connection: Connection[Any], history: History = CORE) -> str | None:
    """The revision a database is at; None for one without any."""
    if await connection.fetchval("select to_regclass($1)", history.table) is None:
        return None
    # the name is core's, or a plugin's that was found to be a plain word
    found: str | None = await connection.fetchval(f"select version_num from {history.table}")  # noqa: S608
    return found


async def pending(url: str, plugins: Iterable[History] = ()) -> list[str]:
    """The revisions a database still needs."""
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return [
            history.named(revision)
            for history in (CORE, *plugins)
            for revision in _after(await current(connection, history), history)
        ]
    finally:
        await connection.close()


def plan(start: str | None = None, history: History = CORE) -> Iterator[tuple[str, str]]:
    """Each revision after `start`, with the SQL it runs."""
    for revision in _after(start, history):
        yield revision, sql_of(revision, history)


async def migrate(
    url: str,
    *,
    app_login: str | None = None,
    test_clock: bool = False,
    patience: float = 60,
    plugins: Iterable[History] = (),
) -> list[str]:
    """Bring the database to this code's schema; returns the revisions it ran. Waits while another migrator works.

    A plugin whose revisions fail is named in a MigrationFailed, after core's and everybody else's are done.
    """
    connection = await asyncpg.connect(url, timeout=5, command_timeout=600)
    try:
        await _lock(connection, time.monotonic() + patience)
        await _step(connection, f"create schema if not exists {CORE.schema}")
        done = await _catch_up(connection, CORE)
        await _give(connection, app_login)
        await _step(connection, _clock(test_clock))
        return done + await _plugins(connection, plugins, app_login)
    finally:
        await connection.close()


async def raise_epoch(url: str, *, patience: float = 60) -> int:
    """Let whatever happens from now on stand behind all that the log holds, after a restore; says the new epoch."""
    connection = await asyncpg.connect(url, timeout=5, command_timeout=600)
    try:
        await _lock(connection, time.monotonic() + patience)
        epoch = int(await connection.fetchval("select tenantry.epoch()")) + 1
        await _step(
            connection,
            "create or replace function tenantry.epoch() returns integer"
            f" language sql immutable parallel safe as 'select {epoch}'",
        )
        return epoch
    finally:
        await connection.close()


async def _catch_up(connection: Connection[Any], history: History) -> list[str]:
    done = []
    for revision, sql in plan(await current(connection, history), history):
        await _step(connection, sql)
        done.append(history.named(revision))
    return done


async def _plugins(connection: Connection[Any], histories: Iterable[History], app_login: str | None) -> list[str]:
    done, failed = [], []
    logins = await _logins(connection, app_login)
    for history in histories:
        try:
            await _step(connection, _enclosed(history.schema))
            done += await _catch_up(connection, history)
            await _step(connection, "; ".join(_looking(history, logins)))
        except Exception as error:
            # whatever a plugin's revision does, the others are to be migrated
            if connection.is_closed():
                raise
            failed.append(f"{history.schema}: {error}")
    if failed:
        raise MigrationFailed(f"core is migrated, but not every plugin: {'; '.join(failed)}")
    return done


def _enclosed(schema: str) -> str:
    return f"create schema if not exists {schema}; grant usage on schema {schema} to tenantry_app, tenantry_system"


def _looking(history: History, logins: list[str]) -> Iterator[str]:
    """Anybody of ours may read where a history stands."""
    yield f"grant select on {history.table} to tenantry_app, tenantry_system"
    for login in map(_quoted, logins):
        yield f"grant usage on schema {history.schema} to {login}"
        yield f"grant select on {history.table} to {login}"


def _after(start: str | None, history: History) -> list[str]:
    known = revisions(history)
    if start is None:
        return known
    if start not in known:
        whose = "" if history == CORE else f" of {history.schema}"
        raise MigrationFailed(f"the database is at revision {start}{whose}, which is newer than this code knows")
    return known[known.index(start) + 1 :]


async def _lock(connection: Connection[Any], deadline: float) -> None:
    while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):
        if time.monotonic() > deadline:
            raise MigrationFailed("another migrator is still at work")
        await asyncio.sleep(0.1 + random.random() / 5)  # noqa: S311  (jitter, not a secret)


async def _step(connection: Connection[Any], sql: str, *, tries: int = 10) -> None:
    for attempt in range(1, tries + 1):
        try:
            await connection.execute(
                f"begin; set local lock_timeout = '3s'; set local statement_timeout = 0; {sql}; commit"
            )
            return
        except LockNotAvailableError:
            await connection.execute("rollback")
            if attempt == tries:
                raise
            await asyncio.sleep(random.random() * attempt)  # noqa: S311
        except BaseException:
            if not connection.is_closed():
                await connection.execute("rollback")
            raise


async def _give(connection: Connection[Any], app_login: str | None) -> None:
    """Give each login its roles where it lacks them, and close the database to the logins of others."""
    logins = await _logins(connection, app_login)
    database = str(await connection.fetchval("select current_database()"))
    newer = connection.get_server_version().major >= 16
    for login in logins:
        # being able to take a role is a right of its own from 16 on
        wanted = await connection.fetch(_LACKS, login, "SET" if newer else "MEMBER")
        if wanted and not await _may_grant(connection, login, [row["role"] for row in wanted], newer=newer):
            raise MigrationFailed(_ASK_AN_ADMINISTRATOR.format(login=_quoted(login)))
    await _step(connection, "; ".join(_rights(logins, database)))


async def _logins(connection: Connection[Any], app_login: str | None) -> list[str]:
    return [str(await connection.fetchval("select current_user"))] + ([app_login] if app_login else [])


async def _may_grant(connection: Connection[Any], login: str, roles: list[str], *, newer: bool) -> bool:
    # not inherited: a login that forgot to take a role must see nothing, instead of what both roles together see
    # (before 16 that is said of the login as a whole)
    how = " with inherit false, set true" if newer else f"; alter role {_quoted(login)} noinherit"
    grant = f"grant {', '.join(roles)} to {_quoted(login)}{how}"
    try:
        await _step(connection, grant)
    except InsufficientPrivilegeError:
        return False
    return True


def _rights(logins: list[str], database: str) -> Iterator[str]:
    place = _quoted(database)
    # roles belong to the whole cluster: only who may connect keeps another installation's logins out of this one
    yield f"revoke connect, temporary on database {place} from public"
    for login in map(_quoted, logins):
        yield f"grant connect, temporary on database {place} to {login}"
    yield from _looking(CORE, logins)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _clock(test_clock: bool) -> str:
    return (
        "create or replace function tenantry.now() returns timestamptz "
        f"language sql stable parallel safe as '{_CLOCKS[test_clock]}'"
    )


def sql_of(revision: str, history: History = CORE) -> str:
    """The SQL of one revision, as Alembic renders it."""
    # late: Alembic takes a third of a second to import, and only a migrator needs it
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(history.folder.parent))
    config.set_main_option("version_locations", str(history.folder))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    down = _follows(revision, script.get_revision(revision).down_revision, history)
    written = io.StringIO()

    def upgrade(head: Any, _: Any) -> Any:
        return script._upgrade_revs(revision, down or "base")

    with EnvironmentContext(
        config, script, fn=upgrade, as_sql=True, starting_rev=down, destination_rev=revision
    ) as env:
        schema, _, table = history.table.partition(".")
        env.configure(
            dialect_name="postgresql", version_table=table, version_table_schema=schema, output_buffer=written,
            transactional_ddl=False, as_sql=True,
        )  # fmt: skip
        env.run_migrations()
    return written.getvalue()


def _follows(revision: str, down: Any, history: History) -> str | None:
    """The revision before it, which must be the file before it: a history has one line."""
    known = revisions(history)
    before = ([None, *known])[known.index(revision)]
    if down != before:
        raise MigrationFailed(f"revision {history.named(revision)} follows {down}, but stands behind {before}")
    return before
