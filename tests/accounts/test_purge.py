"""Purging: when the grace is over every table forgets the person, whole or not at all, and nobody else is touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from closing import close, closed, id_of, purge, reopen, sign_in

from tenantry.accounts import actions, domain
from tenantry.admin.domain import domain as admin
from tenantry.api_keys.domain import domain as api_keys
from tenantry.audit.domain import domain as audit
from tenantry.billing.domain import domain as billing
from tenantry.flags.domain import domain as flags
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.sql import run
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.fate import Fate, anonymized, erased, kept
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import drain_jobs
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.refusals import SessionEnded
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.orgs.domain import domain as orgs
from tenantry.plans.domain import domain as plans
from tenantry.testing import Client, HandClock, Installation, installed
from tenantry.testing.installation import PASSWORD
from tenantry.usage.domain import domain as usage
from tenantry.webhooks.domain import domain as webhooks

TABLES = """
    select relname
      from pg_class
     where relnamespace = 'tenantry'::regnamespace
       and relkind in ('r', 'p')
       and not relispartition
"""
POINT_AT_PEOPLE = """
    select distinct pg_class.relname
      from pg_constraint
      join pg_class on pg_class.oid = pg_constraint.conrelid
     where pg_constraint.contype = 'f'
       and pg_constraint.confrelid = 'tenantry.users'::regclass
"""


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The owner of a migrated database, to look into its catalogue."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


# the catalogue


async def _faults(owner: asyncpg.Connection[Any], fates: Mapping[str, Fate]) -> set[str]:
    """Tables without a fate, fates without a table, and tables that refer to people and keep what they say."""
    tables = {row["relname"] for row in await owner.fetch(TABLES)}
    pointing = {row["relname"] for row in await owner.fetch(POINT_AT_PEOPLE)}
    return (tables ^ fates.keys()) | {table for table in pointing & fates.keys() if fates[table].ends == "kept"}


async def test_every_table_says_what_becomes_of_a_purged_person(
    owner: asyncpg.Connection[Any], registry: Registry
) -> None:
    assert await _faults(owner, registry.fates) == set()


@pytest.mark.parametrize(
    "column", ["user_id uuid references tenantry.users", "owner_id uuid", "email text", "anything integer"]
)
async def test_a_new_table_that_says_nothing_is_noticed(
    owner: asyncpg.Connection[Any], registry: Registry, column: str
) -> None:
    await owner.execute(f"create table tenantry.novelties ({column})")
    assert await _faults(owner, registry.fates) == {"novelties"}


async def test_a_table_that_refers_to_people_cannot_keep_what_it_says(
    owner: asyncpg.Connection[Any], registry: Registry
) -> None:
    await owner.execute("create table tenantry.novelties (user_id uuid references tenantry.users)")
    assert await _faults(owner, registry.fates | {"novelties": kept("we like it")}) == {"novelties"}


def test_a_table_is_one_domains_alone() -> None:
    again = Domain(name="trial", tables={"sessions": kept("twice")})
    with pytest.raises(BadDomains, match="the table sessions is declared twice"):
        Registry((domain.domain, again))


def test_what_is_erased_has_a_statement_and_what_is_kept_has_none() -> None:
    with pytest.raises(TypeError):
        Fate("erased", "no statement")
    with pytest.raises(TypeError):
        Fate("kept", "a statement", run("delete from tenantry.users"))


# what is left of a person


async def _traces(house: Installation, *needles: str) -> set[str]:
    """The tables in which any row says one of these."""
    tables = [row["relname"] for row in await house.rows(TABLES) if row["relname"] != "migration"]
    said = " or ".join(f"strpos(lower(t::text), lower(${n})) > 0" for n in range(1, len(needles) + 1))
    found = {
        table: (await house.rows(f"select count(*) as rows from tenantry.{table} t where {said}", *needles))[0]["rows"]
        for table in tables
    }
    return {table for table, rows in found.items() if rows}


async def _with_everything(house: Installation, email: str) -> Client:
    """A person who left traces in every table that can hold some, and then closed the account."""
    person = await house.person(email, name="Ottoline Quux")
    await sign_in(house, email)
    await house.client.post("/v1/auth/login", {"email": email, "password": "wrong horse battery staple"})
    await person.post("/v1/users/me/exports")
    await house.drain_jobs()
    await close(person)
    await house.client.post("/v1/auth/forgot-password", {"email": email})
    await house.register(email, name="Ottoline Quux")
    await house.drain_jobs()
    return person


async def test_a_purge_leaves_ids_in_the_history_and_nothing_else(clocked: Installation, clock: HandClock) -> None:
    person = await _with_everything(clocked, "ottoline@example.com")
    personal = {"users", "credentials", "sessions", "registrations", "registration_mails", "exports"}
    assert personal <= await _traces(clocked, "ottoline", "quux", str(id_of(person)))
    clock.advance(days=30, hours=1)
    await purge(clocked)
    assert await _traces(clocked, "ottoline", "quux") == set()
    assert await _traces(clocked, str(id_of(person))) == {"events", "audit_log"}
    assert await clocked.recorded("accounts.user_purged") == [{"user_id": str(id_of(person))}]
    assert await clocked.rows("select from tenantry.dead_letters") == []


async def test_where_somebody_was_before_they_signed_in_is_forgotten_too(
    clocked: Installation, clock: HandClock
) -> None:
    email, browser = "ottoline@example.com", {"user-agent": "OttolinesOwnBrowser/1.0"}
    asked = {"email": email, "password": PASSWORD, "name": "Ottoline Quux"}
    proof = (await clocked.client.post("/v1/auth/register", asked, headers=browser)).json["registration"]
    body = {"token": await clocked.mailed_token(email), "registration": proof}
    joined = await clocked.client.post("/v1/auth/verify-email", body, headers=browser)
    for password in (PASSWORD, "wrong horse battery staple"):
        await clocked.client.post("/v1/auth/login", {"email": email, "password": password}, headers=browser)
    await close(clocked.client.signed_in(joined.json))
    assert {"details", "sessions"} <= await _traces(clocked, "OttolinesOwnBrowser")
    clock.advance(days=30, hours=1)
    await purge(clocked)
    assert await _traces(clocked, "OttolinesOwnBrowser") == set()


async def test_no_event_ever_holds_an_address_or_a_name(clocked: Installation, clock: HandClock) -> None:
    await _with_everything(clocked, "ottoline@example.com")
    assert "events" not in await _traces(clocked, "ottoline", "quux")


async def test_a_purged_address_is_free_again_and_its_new_account_another_person(
    clocked: Installation, clock: HandClock
) -> None:
    before = await closed(clocked, "ada@example.com")
    clock.advance(days=30, hours=1)
    await purge(clocked)
    assert (await sign_in(clocked, "ada@example.com")).code == "invalid_credentials"
    after = await clocked.person("ada@example.com")
    assert after.user_id != before.user_id
    assert (await after.get("/v1/users/me")).json["closes_at"] is None


async def test_nobody_is_purged_before_the_grace_is_over(clocked: Installation, clock: HandClock) -> None:
    ada, bob = await closed(clocked, "ada@example.com"), await clocked.person("bob@example.com")
    clock.advance(days=29, hours=23)
    await purge(clocked)
    assert len(await clocked.rows("select from tenantry.users")) == 2
    clock.advance(hours=2)
    await purge(clocked)
    assert [row["id"] for row in await clocked.rows("select id from tenantry.users")] == [id_of(bob)]
    assert (await sign_in(clocked, bob.email)).status == 200
    assert (await sign_in(clocked, ada.email)).code == "invalid_credentials"


async def test_a_session_of_a_purged_person_has_ended(clocked: Installation, clock: HandClock) -> None:
    await closed(clocked, "ada@example.com")
    clock.advance(days=29, hours=23, minutes=58)
    ada = clocked.client.signed_in((await sign_in(clocked, "ada@example.com")).json)
    clock.advance(minutes=4)
    await purge(clocked)
    assert (await ada.get("/v1/users/me")).code == "session_ended"
    assert (await reopen(ada)).code == "session_ended"


async def test_a_person_who_opened_the_account_again_is_not_purged(clocked: Installation, clock: HandClock) -> None:
    ada = await closed(clocked, "ada@example.com")
    clock.advance(minutes=1)
    await reopen(ada)
    clock.advance(days=40)
    await purge(clocked)
    await _purge(_house(clocked), id_of(ada))
    assert (await sign_in(clocked, ada.email)).status == 200


# races and deaths


def _house(house: Installation) -> Call:
    return Call(house.runtime, Actor("job"), "a-purge-of-a-test")


async def _blocked(house: Installation, waiting: asyncio.Task[None]) -> None:
    """Until a task's transaction waits for another one's lock."""
    async with asyncio.timeout(10):
        while not await house.rows("select from pg_locks where not granted"):
            assert not waiting.done()
            await asyncio.sleep(0.01)


async def _due(house: Installation, clock: HandClock) -> tuple[UUID, UUID]:
    """A person whose grace has just gone by, and a session of theirs."""
    await closed(house, "ada@example.com")
    clock.advance(days=30, minutes=-1)
    ada = house.client.signed_in((await sign_in(house, "ada@example.com")).json)
    clock.advance(minutes=2)
    latest = "select id from tenantry.sessions where user_id = $1 order by created_at desc limit 1"
    (row,) = await house.rows(latest, id_of(ada))
    return id_of(ada), row["id"]


async def _purge(call: Call, user_id: UUID) -> None:
    async with SystemWork(call, reason="a test") as work:
        await actions.purge_person(work, user_id=user_id)


async def _reopen(house: Installation, user_id: UUID, session_id: UUID) -> None:
    async with SystemWork(_house(house), reason="a test") as work:
        await actions.reopen_account(work, user_id=user_id, session_id=session_id)


async def test_a_purge_that_comes_second_to_an_opening_does_nothing(clocked: Installation, clock: HandClock) -> None:
    user_id, session_id = await _due(clocked, clock)
    async with SystemWork(_house(clocked), reason="a test") as work:
        await actions.reopen_account(work, user_id=user_id, session_id=session_id)
        second = asyncio.create_task(_purge(_house(clocked), user_id))
        await _blocked(clocked, second)
    await second
    (row,) = await clocked.rows("select closed_at, purge_at from tenantry.users")
    assert (row["closed_at"], row["purge_at"]) == (None, None)
    assert (await sign_in(clocked, "ada@example.com")).status == 200


async def test_an_opening_that_comes_second_to_a_purge_finds_nobody(clocked: Installation, clock: HandClock) -> None:
    user_id, session_id = await _due(clocked, clock)
    async with SystemWork(_house(clocked), reason="a test") as work:
        await actions.purge_person(work, user_id=user_id)
        second = asyncio.create_task(_reopen(clocked, user_id, session_id))
        await _blocked(clocked, second)
    with pytest.raises(SessionEnded):
        await second
    assert await clocked.rows("select from tenantry.users") == []
    assert await clocked.recorded("accounts.user_reopened") == []


async def test_two_purges_of_one_person_at_once_purge_once(clocked: Installation, clock: HandClock) -> None:
    ada = await closed(clocked, "ada@example.com")
    clock.advance(days=31)
    await asyncio.gather(*(_purge(_house(clocked), id_of(ada)) for _ in range(4)))
    assert len(await clocked.recorded("accounts.user_purged")) == 1


async def test_a_purge_that_dies_between_any_two_tables_has_done_nothing_and_is_done_again(
    clocked: Installation, clock: HandClock
) -> None:
    ada = await _with_everything(clocked, "ottoline@example.com")
    clock.advance(days=30, hours=1)
    before = await _traces(clocked, "ottoline", str(id_of(ada)))
    known = list(clocked.runtime.fates.items())
    for place in range(len(known) + 1):
        deadly = dict([*known[:place], ("death", erased(run("select 1 / 0"))), *known[place:]])
        dying = Call(msgspec.structs.replace(clocked.runtime, fates=deadly), Actor("job"), "a-death-of-a-test")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await _purge(dying, id_of(ada))
        assert await _traces(clocked, "ottoline", str(id_of(ada))) == before
    await purge(clocked)
    assert await _traces(clocked, "ottoline") == set()


async def test_a_purge_that_fails_keeps_nobody_else_waiting(clocked: Installation, clock: HandClock) -> None:
    ada, bob = await closed(clocked, "ada@example.com"), await closed(clocked, "bob@example.com")
    clock.advance(days=30, hours=1)
    refusing = run("select 1 / (:email_key <> 'ada@example.com')::integer")
    fates = {"stubborn": erased(refusing)} | dict(clocked.runtime.fates)
    stubborn = msgspec.structs.replace(clocked.runtime, fates=fates)
    await _purge_with(clocked, stubborn)
    assert [row["id"] for row in await clocked.rows("select id from tenantry.users")] == [id_of(ada)]
    assert id_of(bob) != id_of(ada)
    assert await clocked.recorded("accounts.user_purged") == [{"user_id": str(id_of(bob))}]


async def _purge_with(house: Installation, runtime: Runtime) -> None:
    """Let the purge's tick come in another runtime."""
    async with SystemWork(_house(house), reason="a test") as work:
        work.enqueue(NewJob("accounts.ask_for_purges"))
    await drain_jobs(runtime, house.registry.handlers)


async def test_a_person_is_asked_for_once_while_the_purge_waits(clocked: Installation, clock: HandClock) -> None:
    await closed(clocked, "ada@example.com")
    clock.advance(days=30, hours=1)
    await clocked.drain_jobs()
    await asyncio.gather(*(purge(clocked) for _ in range(3)))
    assert len(await clocked.recorded("accounts.user_purged")) == 1


async def test_a_person_cannot_purge_anybody(house: Installation) -> None:
    ada = await house.person()
    claims = await house.runtime.keys.verify(ada.tokens["access_token"])
    assert claims.sub == ada.user_id
    session = (await house.rows("select id from tenantry.sessions where user_id = $1", id_of(ada)))[0]["id"]
    with pytest.raises(Forbidden):
        async with PersonWork(Call(house.runtime, Actor("person", id_of(ada), session), "a-test")) as work:
            await actions.purge_person(work, user_id=id_of(ada))  # type: ignore[arg-type]


# a plugin's tables


async def test_a_plugins_tables_come_before_those_they_refer_to(database_url: str, tmp_path: Path) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        """
        create table tenantry.notes (author uuid references tenantry.users, text text);
        create table tenantry.likes (user_id uuid references tenantry.users);
        grant select, insert, update, delete on tenantry.notes, tenantry.likes to tenantry_system;
        """
    )
    forget_author = run("update tenantry.notes set author = null where author = :user_id")
    unlike = run("delete from tenantry.likes where user_id = :user_id")
    notes = Domain(
        name="notes",
        needs=("accounts",),
        tables={"notes": anonymized(forget_author, why="others read them on"), "likes": erased(unlike)},
    )
    known = Registry((domain.domain, orgs, plans, api_keys, usage, flags, billing, webhooks, audit, admin, notes))
    clock = HandClock(tmp_path / "clock")
    async with installed(database_url, tmp_path, registry=known, environ=clock.environ) as house:
        ada, bob = await closed(house, "ada@example.com"), await house.person("bob@example.com")
        for one in (ada, bob):
            await house.rows("insert into tenantry.notes values ($1, 'a thought')", id_of(one))
            await house.rows("insert into tenantry.likes values ($1)", id_of(one))
        clock.advance(days=30, hours=1)
        await purge(house)
        assert await _faults(owner, known.fates) == set()
        authors = {row["author"] for row in await house.rows("select author from tenantry.notes")}
        assert authors == {None, id_of(bob)}
        assert [row["user_id"] for row in await house.rows("select user_id from tenantry.likes")] == [id_of(bob)]
    await owner.close()
