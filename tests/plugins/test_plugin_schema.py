"""A plugin's tables: a schema and a history of its own, which core neither needs nor trips over."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from memos.domain import domain as memos

from tenantry.foundation.data import migrations
from tenantry.foundation.data.migrations import History, MigrationFailed
from tenantry.foundation.data.sql import run
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.fate import erased
from tenantry.testing import Databases, Installation, fate_faults, statement_faults, wall_faults

_names = itertools.count(1)
assert memos.history is not None
MEMOS: History = memos.history
REVISION = """
from alembic import op
revision, down_revision = "{revision}", {down!r}
def upgrade() -> None:
    op.execute("{sql}")
"""


@pytest.fixture
async def empty(databases: Databases) -> AsyncIterator[str]:
    """The URL of a database that nothing was done to."""
    name = f"empty_for_plugins_{next(_names)}"
    await databases._run(f'create database "{name}"')
    yield databases.url(name)
    await databases._drop(name)


@pytest.fixture
async def owner(memo_databases: Databases) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The owner's connection to a database with the plugin's tables."""
    async with memo_databases.fresh() as url:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
        yield connection
        await connection.close()


def _history(folder: Path, *sql: str, schema: str = "extra") -> History:
    folder.mkdir(exist_ok=True)
    for number, statement in enumerate(sql, 1):
        down = f"{number - 1:04}" if number > 1 else None
        text = REVISION.format(revision=f"{number:04}", down=down, sql=statement)
        (folder / f"{number:04}_step.py").write_text(text)
    return History(schema, folder)


async def _ask(url: str, statement: str, *arguments: Any) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def test_a_plugin_is_migrated_after_core_and_counts_for_itself(empty: str) -> None:
    core = migrations.revisions()
    assert await migrations.pending(empty, [MEMOS]) == [*core, "memos:0001", "memos:0002"]
    assert await migrations.migrate(empty, plugins=[MEMOS]) == [*core, "memos:0001", "memos:0002"]
    assert await migrations.pending(empty, [MEMOS]) == []
    assert await migrations.migrate(empty, plugins=[MEMOS]) == []
    assert await _ask(empty, "select version_num from memos.migration") == "0002"
    assert await _ask(empty, "select version_num from tenantry.migration") == core[-1]


async def test_a_plugin_that_comes_later_is_caught_up_alone(empty: str) -> None:
    await migrations.migrate(empty)
    assert await migrations.migrate(empty, plugins=[MEMOS]) == ["memos:0001", "memos:0002"]


async def test_an_uninstalled_plugin_leaves_its_tables_and_breaks_nothing(empty: str) -> None:
    await migrations.migrate(empty, plugins=[MEMOS])
    assert await migrations.pending(empty) == []
    assert await migrations.migrate(empty) == []
    assert await _ask(empty, "select to_regclass('memos.memos')::text") == "memos.memos"


async def test_core_may_have_a_table_of_the_same_name_one_day(empty: str) -> None:
    await migrations.migrate(empty, plugins=[MEMOS])
    await _ask(empty, "create table tenantry.memos ()")
    assert await migrations.migrate(empty, plugins=[MEMOS]) == []


async def test_a_revision_that_fails_leaves_nothing_of_itself_and_holds_nobody_up(empty: str, tmp_path: Path) -> None:
    failing = _history(tmp_path / "extra", "create table extra.one ()", "create table extra.two (); select 1 / 0")
    with pytest.raises(MigrationFailed, match=r"core is migrated, but not every plugin: extra: .*division by zero"):
        await migrations.migrate(empty, plugins=[failing, MEMOS])
    assert await migrations.pending(empty, [MEMOS, failing]) == ["extra:0002"]
    assert await _ask(empty, "select to_regclass('extra.two')") is None


async def test_a_plugin_older_than_its_tables_is_told_and_holds_nobody_up(empty: str, tmp_path: Path) -> None:
    folder = tmp_path / "older"
    shutil.copytree(MEMOS.folder, folder)
    (folder / "0002_more.py").unlink()
    await migrations.migrate(empty, plugins=[MEMOS])
    with pytest.raises(MigrationFailed, match=r"revision 0002 of memos, which is newer"):
        await migrations.migrate(empty, plugins=[History("memos", folder)])


async def test_a_history_has_one_line(empty: str, tmp_path: Path) -> None:
    history = _history(tmp_path / "extra", "select 1", "select 2")
    (history.folder / "0003_step.py").write_text(REVISION.format(revision="0003", down="0001", sql="select 3"))
    with pytest.raises(MigrationFailed, match=r"extra:0003 follows 0001, but stands behind 0002"):
        await migrations.migrate(empty, plugins=[history])


async def test_a_login_of_its_own_sees_where_a_plugin_stands_and_touches_its_rows_under_a_role_only(empty: str) -> None:
    owner = await asyncpg.connect(empty)
    await owner.execute("create role memo_login login password 'x' nosuperuser nobypassrls")
    try:
        await migrations.migrate(empty, app_login="memo_login", plugins=[MEMOS])
        app = await asyncpg.connect(empty, user="memo_login", password="x")
        assert await migrations.current(app, MEMOS) == "0002"
        async with app.transaction():
            await app.execute("set local role tenantry_app")
            assert await app.fetch("select from memos.memos") == []
            assert await migrations.current(app, MEMOS) == "0002"
        for statement in ("select from memos.memos", "create table memos.x ()", "delete from memos.migration"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
        await app.close()
    finally:
        await owner.execute("grant memo_login to current_user; drop owned by memo_login; drop role memo_login")
        await owner.close()


async def test_health_says_where_a_plugins_schema_stands_and_core_stays_ready(
    memo_house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenantry.foundation.readiness.FRESH_FOR", 0.0)
    health = (await memo_house.client.get("/healthz")).json
    assert (health["status"], health["plugins"]) == ("ok", {"memos": "ok"})
    owner = await asyncpg.connect(memo_house.runtime.database.url)
    for change, state in (
        ("update memos.migration set version_num = '0001'", "behind"),
        ("update memos.migration set version_num = '9999'", "ahead"),
        ("drop schema memos cascade", "behind"),
    ):
        await owner.execute(change)
        health = (await memo_house.client.get("/healthz")).json
        assert (health["status"], health["plugins"]) == ("degraded", {"memos": state})
        ready = await memo_house.client.get("/readyz")
        assert (ready.status, ready.json["plugins"]) == (200, {"memos": state})
    await owner.close()


# what a test of a plugin can ask of its schema


async def test_a_plugin_in_order_has_no_faults(owner: asyncpg.Connection[Any], with_memos: Registry) -> None:
    assert await wall_faults(owner, "memos") == []
    assert not [fault for fault in await fate_faults(owner, with_memos) if fault.startswith("memos.")]
    assert await statement_faults(owner, "memos") == []


async def test_core_has_no_faults_by_the_same_measure(owner: asyncpg.Connection[Any]) -> None:
    # what an organization was called in addresses is looked up before it is known whose it is; which functions have
    # their owner's rights, and why, is in the rules of core's own catalogue; whoever shows a key's secret may read
    # which organization it is of
    faults = await wall_faults(owner, keyed_otherwise={"org_slugs"})
    known = ("tenantry.api_key_secrets.presented lets the application see",)
    others = [fault for fault in faults if not fault.startswith(known)]
    assert [fault for fault in others if not fault.endswith("runs with its owner's rights")] == []


ORG = "create table memos.boards (id uuid primary key, org_id uuid not null); "
WALLED = "alter table memos.boards enable row level security; alter table memos.boards force row level security; "
FAULTS = {
    "create table memos.bare ()": "memos.bare has no row-level security",
    "alter table memos.memos no force row level security": "memos.memos has no row-level security",
    "drop policy house on memos.memos; drop policy oneself on memos.memos": "memos.memos has no policy",
    ORG: "memos.boards holds rows of organizations",
    ORG + WALLED + "create policy all_of_them on memos.boards to tenantry_app using (true)":
        "memos.boards.all_of_them lets the application see",
    ORG + WALLED + "create policy everybody on memos.boards using (true)":
        "memos.boards.everybody lets the application see",
    "create policy each on memos.memos to tenantry_app using (user_id = tenantry.person())":
        "memos.memos.each asks for its context for each row",
    "create view memos.all_memos as select * from memos.memos": "memos.all_memos reads with its owner's rights",
    "create function memos.peek() returns int language sql security definer as 'select 1'":
        "memos.peek runs with its owner's rights",
    "grant truncate on memos.memos to tenantry_app": "memos.memos by tenantry_app can be reached past",
    "alter table memos.memos add constraint holds_up foreign key (user_id) references tenantry.users": (
        "memos.holds_up would keep a row of core from being purged"
    ),
    "grant select on memos.memos to public": "memos.memos is open to everybody",
}  # fmt: skip


@pytest.mark.parametrize("change", FAULTS)
async def test_a_hole_in_the_wall_of_a_plugin_is_found(owner: asyncpg.Connection[Any], change: str) -> None:
    await owner.execute(change)
    assert [fault for fault in await wall_faults(owner, "memos") if fault.startswith(FAULTS[change])]


async def test_a_table_without_a_fate_is_found_and_a_fate_without_a_table(
    owner: asyncpg.Connection[Any], with_memos: Registry
) -> None:
    await owner.execute("create table memos.boards (); drop table memos.memos")
    found = [fault for fault in await fate_faults(owner, with_memos) if fault.startswith("memos.")]
    assert found == [
        "memos.boards has no fate",
        "memos.memos has a fate and is not there",
    ]


async def test_a_statement_that_does_not_fit_is_found(owner: asyncpg.Connection[Any]) -> None:
    await owner.execute("alter table memos.memos rename column text to words")
    assert len(await statement_faults(owner, "memos")) == 2


async def test_two_plugins_may_have_a_table_of_one_name_but_no_schema(tmp_path: Path) -> None:
    tables = {"memos": erased(run("delete from other.memos where user_id = :user_id"))}
    other = Domain(name="other", migrations=tmp_path, tables=tables)
    memos_alone = _alone(memos)
    assert {"memos.memos", "other.memos"} <= set(Registry((memos_alone, other)).fates)
    with pytest.raises(BadDomains, match=r"(domain|schema) memos"):
        Registry((memos_alone, _alone(memos)))
    with pytest.raises(BadDomains, match="schema tenantry"):
        Registry((Domain(name="tenantry", migrations=tmp_path),))


def _alone(domain: Domain) -> Domain:
    return msgspec.structs.replace(domain, needs=(), routes=None, jobs=None, events=None, problems=None)
