"""Changes are seen by every process within a second; a request goes by one snapshot; a database may be away."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from flag_kit import act, defined, house_work, member_work, put, seen

from patience import until
from tenantry.flags import actions, flag_is_on, flag_value, flags_of
from tenantry.flags.exchanges import Flags, FlagsKept, flags_kept
from tenantry.flags.models import Context
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.flag import FlagDeclaration
from tenantry.foundation.work import SystemWork
from tenantry.testing import Databases, Installation
from tenantry.testing.installation import installed

ON = [{"variant": "on"}]


@pytest.fixture
async def second(house: Installation, tmp_path: Path) -> AsyncIterator[Installation]:
    """Another process on the same database, as far as flags are concerned."""
    async with installed(house.runtime.database.url, tmp_path, registry=house.registry) as running:
        yield running


def now(house: Installation) -> Flags:
    """The flags of a process at this instant, as nobody has them."""
    kept = flags_kept(house.runtime)
    return Flags(kept, kept.now, Context(clock=time.time))


async def until_on(house: Installation, key: str, *, within: float) -> float:
    """Seconds until a process gives a flag as on."""
    began = time.monotonic()
    await until(lambda: now(house).is_on(key), within=within)
    return time.monotonic() - began


async def test_a_change_is_seen_by_another_process_within_a_second(house: Installation, second: Installation) -> None:
    await put(house, "spread")
    await seen(second.runtime)
    waits = []
    for turn in range(6):
        key = f"spread{turn}"
        async with house_work(house) as work:
            await actions.put_flag(work, key=key, definition=defined(rules=ON))
        waits.append(await until_on(second, key, within=2))
    assert max(waits) < 1
    # killing one is seen as soon
    async with house_work(house) as work:
        await actions.kill_flag(work, key="spread5")
    await until(lambda: not now(second).is_on("spread5"), within=1)


async def test_a_change_is_seen_while_every_connection_of_the_pool_is_taken(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    environ = {"TENANTRY_DATABASE_POOL": "1"}
    async with databases.fresh() as url, installed(url, tmp_path, registry=registry, environ=environ) as house:
        connection = await asyncpg.connect(url)
        async with house_work(house) as work:
            # the first who asks waits for no second connection of the pool
            assert not await flag_is_on(work, "busy")
            assert flags_kept(house.runtime).watch.loaded
            async with connection.transaction():
                await connection.execute("set local role tenantry_system")
                await connection.execute(
                    "insert into tenantry.flags (key, kind, variants, default_variant) "
                    "values ('busy', 'boolean', '{\"on\": true}', 'on')"
                )
                await connection.execute("update tenantry.flags_version set version = version + 1")
            await until_on(house, "busy", within=1)
        await connection.close()


async def test_all_works_of_one_call_go_by_one_snapshot(house: Installation) -> None:
    team = await house.team()
    await put(house, "steady", rules=ON)
    async with await member_work(house, team.owner, team.org) as work:
        flags = await flags_of(work)
        assert flags.is_on("steady")
        call = work.call
    await act(house, "kill_flag", key="steady")
    assert flags.is_on("steady")
    # another work of the same call, in the same organization or for the house
    async with SystemWork(call, reason="a test") as work:
        assert await flag_is_on(work, "steady")
        assert (await flags_of(work)).is_on("steady")
    async with await member_work(house, team.owner, team.org) as work:
        assert not await flag_is_on(work, "steady")


async def test_the_last_snapshot_goes_on_while_postgresql_is_away(house: Installation, second: Installation) -> None:
    await put(house, "kept_on", rules=ON)
    await seen(second.runtime)
    kept = flags_kept(second.runtime)
    async with losing(kept):
        assert now(second).is_on("kept_on")
        async with house_work(house) as work:
            await actions.kill_flag(work, key="kept_on")
        assert now(second).is_on("kept_on")
    # it is back
    await until(lambda: not now(second).is_on("kept_on"))


@asynccontextmanager
async def losing(kept: FlagsKept) -> AsyncIterator[None]:
    """Its database is away: whatever it tries to connect to refuses."""
    database = kept.runtime.database
    there, database.url = database.url, "postgresql://nobody@127.0.0.1:9/nothing"
    kept.watch._drop()
    try:
        await until(lambda: not kept.watch.well)
        yield
    finally:
        database.url = there


async def test_without_any_snapshot_declared_flags_have_their_defaults(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    declared = FlagDeclaration("declared", "A test's.", default=True)
    bringing = Registry([*registry.domains, Domain(name="bringing", flags=(declared,))])
    async with installed(database_url, tmp_path, registry=bringing) as house:
        kept = flags_kept(house.runtime)
        async with losing_from_the_start(kept):
            found = now(house).details("declared", default=False)
            assert (found.value, found.reason, found.fault) == (True, "ERROR", "PROVIDER_NOT_READY")
            assert now(house).value("else", "mine") == "mine"
            assert now(house).details("else", "mine").fault == "PROVIDER_NOT_READY"
            async with house_work(house) as work:
                began = time.monotonic()
                assert await flag_value(work, "declared", default=False) is True
                assert time.monotonic() - began < 1
        await until(lambda: now(house).details("declared", default=False).reason == "STATIC")
        # what a plugin declares is there for operators too
        async with house_work(house) as work:
            await actions.kill_flag(work, key="declared")
        await seen(house.runtime)
        assert now(house).details("declared", default=True).value is False
        async with house_work(house) as work:
            await actions.remove_flag(work, key="declared")
        await seen(house.runtime)
        assert now(house).is_on("declared")
    registry._connect_questions()


@asynccontextmanager
async def losing_from_the_start(kept: FlagsKept) -> AsyncIterator[None]:
    """What looks at the flags finds nobody; the pool goes on with the connection that it has."""
    database = kept.runtime.database
    async with house_work(kept.runtime):
        pass
    there, database.url = database.url, "postgresql://nobody@127.0.0.1:9/nothing"
    try:
        yield
    finally:
        database.url = there


def test_a_flag_is_declared_once_and_well() -> None:
    one = FlagDeclaration("twice", "A test's.")
    with pytest.raises(BadDomains, match="the flag twice is declared twice"):
        Registry([Domain(name="one", flags=(one,)), Domain(name="other", flags=(one,))])
    with pytest.raises(TypeError, match="no key of a flag"):
        FlagDeclaration("Twice", "A test's.")
    with pytest.raises(TypeError, match="the default of"):
        FlagDeclaration("nothing", "A test's.", default=None)
