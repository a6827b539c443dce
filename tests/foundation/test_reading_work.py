"""A work opened for reading changes nothing, waits for nothing at its end, and leaves nothing to the next one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from tenantry.accounts import actions
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.testing import Client, Installation, installed

WHO = "select current_user, current_setting('tenantry.person', true) as person, pg_backend_pid() as backend"
IDLE_WITHIN = "select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'"


async def _reading(house: Installation, ada: Client) -> PersonWork:
    claims = await house.runtime.keys.verify(ada.tokens["access_token"])
    actor = Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))
    return PersonWork(Call(house.runtime, actor, "request-of-a-test"), reading=True)


def _system(house: Installation) -> SystemWork:
    return SystemWork(Call(house.runtime, NOBODY, "request-of-a-test"), reason="a test")


async def _idle_within(house: Installation) -> int:
    """How many connections sit in a transaction at this moment."""
    connection = await asyncpg.connect(house.runtime.database.url)
    try:
        return len(await connection.fetch(IDLE_WITHIN))
    finally:
        await connection.close()


async def test_postgresql_refuses_every_change(installation: Installation) -> None:
    ada = await installation.person()
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):  # noqa: PT012  (a transaction is a block)
        async with await _reading(installation, ada) as work:
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError) as refused:
                await work.connection.execute("update tenantry.users set name = 'Eve'")
            raise refused.value from None
    assert (await ada.get("/v1/users/me")).json["name"] == "Ada Lovelace"


async def test_it_admits_no_verb(installation: Installation) -> None:
    ada = await installation.person()
    async with await _reading(installation, ada) as work:
        with pytest.raises(TypeError, match="opened for reading"):
            await actions.change_profile(work, name="Eve")
    assert (await ada.get("/v1/users/me")).status == 200


async def test_the_next_work_on_its_connection_inherits_nothing(narrow: Installation) -> None:
    ada, bob = await narrow.person(), await narrow.person()
    backends = set()
    for client in (ada, bob, ada):
        async with await _reading(narrow, client) as work:
            seen = await work.connection.fetchrow(WHO)
            backends.add(seen["backend"])
            assert (seen["current_user"], seen["person"]) == ("tenantry_app", str(work.person))
            assert await work.connection.fetchval("select count(*) from tenantry.users") == 1
    async with _system(narrow) as house:
        seen = await house.connection.fetchrow(WHO)
        backends.add(seen["backend"])
        assert (seen["current_user"], seen["person"] or "") == ("tenantry_system", "")
        await house.connection.execute("update tenantry.users set name = 'Ada King'")
    assert len(backends) == 1, "the works were to share one connection"
    assert (await bob.get("/v1/users/me")).json["name"] == "Ada King"


async def test_a_dead_session_is_refused_on_a_connection_that_was_left(narrow: Installation) -> None:
    ada, bob = await narrow.person(), await narrow.person()
    await bob.post("/v1/auth/logout", {})
    assert (await ada.get("/v1/users/me")).status == 200
    assert (await bob.get("/v1/users/me")).status == 401
    assert (await ada.get("/v1/users/me")).status == 200


async def test_a_transaction_that_nobody_follows_is_ended_in_a_moment(installation: Installation) -> None:
    ada = await installation.person()
    await asyncio.gather(*(ada.get("/v1/users/me") for _ in range(8)))
    async with asyncio.timeout(5):
        while await _idle_within(installation):  # noqa: ASYNC110  (PostgreSQL tells nobody)
            await asyncio.sleep(0.01)
    assert installation.runtime.database.pool.in_use == 0
    assert (await ada.get("/v1/users/me")).status == 200


async def test_behind_a_pooler_it_is_ended_at_once(database_url: str, registry: Registry, tmp_path: Path) -> None:
    pooled = {"TENANTRY_DATABASE_POOLER": "transaction"}
    async with installed(database_url, tmp_path, registry=registry, environ=pooled) as house:
        ada = await house.person()
        async with await _reading(house, ada) as work:
            connection = work.connection
        assert not connection.is_in_transaction()
        assert (await ada.get("/v1/users/me")).status == 200
