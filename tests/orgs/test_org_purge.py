"""Purging organizations: every table forgets one whose grace is over, batch by batch, and no other loses a row."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from org_closing import Place, again, as_house, as_owner, closed, founded, purge, user_of

from tenantry.accounts.domain import domain as accounts
from tenantry.admin.domain import domain as admin
from tenantry.billing.domain import domain as billing
from tenantry.foundation.data.sql import Run, run
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.fate import erased
from tenantry.foundation.forgetting import FORGOTTEN_AT_ONCE, OF_FOUNDATION, ForgettingWork, forget_some
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import drain_jobs
from tenantry.foundation.problems import Forbidden, NotFound
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions
from tenantry.orgs.domain import domain as orgs
from tenantry.plans.domain import domain as plans
from tenantry.testing import HandClock, Installation, installed
from tenantry.usage.domain import domain as usage
from tenantry.webhooks.domain import domain as webhooks

WITH_ORG_ID = """
    select relnamespace::regnamespace || '.' || relname as name, attrelid::oid as number, attnum as place
      from pg_attribute
      join pg_class on pg_class.oid = attrelid
     where attname = 'org_id'
       and not attisdropped
       and relkind in ('r', 'p')
       and not relispartition
       and relnamespace::regnamespace::text not like 'pg\\_%'
"""
FOREIGN_KEYS = """
    select conname as name, conrelid::oid as number, confrelid::oid as target, conkey as places, confdeltype as ends,
           coalesce(nullif(confdelsetcols, '{}'), conkey) as emptied
      from pg_constraint
     where contype = 'f'
       and conparentid = 0
"""
EXCEPTIONS: dict[str, str] = {}
"""Tables with an org_id that keep it when the organization is purged, each with its reason."""


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The owner of a migrated database, to look into its catalogue."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


# the catalogue


async def _unhandled(owner: asyncpg.Connection[Any], forgotten: Mapping[str, Run]) -> set[str]:
    """Tables with an org_id that nothing empties, statements for none, and keys that would hold a purge up."""
    tables = {row["number"]: row for row in await owner.fetch(WITH_ORG_ID)}
    keys = await owner.fetch(FOREIGN_KEYS)
    gone = {await owner.fetchval("select 'tenantry.orgs'::regclass::oid")}
    while found := {key["number"] for key in keys if _follows(key, tables, gone)} - gone:
        gone |= found
    names = {row["name"].removeprefix("tenantry."): number for number, row in tables.items()}
    silent = {name for name, number in names.items() if number not in gone} - forgotten.keys() - EXCEPTIONS.keys()
    holding = {key["name"] for key in keys if key["target"] in gone and key["ends"] not in (b"c", b"n")}
    return silent | holding | (forgotten.keys() - names.keys())


def _follows(key: asyncpg.Record, tables: Mapping[int, asyncpg.Record], gone: set[int]) -> bool:
    """Whether a foreign key takes a table's rows, or their org_id, away with the rows of one that is emptied."""
    table = tables.get(key["number"])
    if table is None or key["target"] not in gone or table["place"] not in key["places"]:
        return False
    return key["ends"] == b"c" or (key["ends"] == b"n" and table["place"] in key["emptied"])


async def test_every_table_with_an_organization_forgets_it(owner: asyncpg.Connection[Any], registry: Registry) -> None:
    assert await _unhandled(owner, registry.org_tables) == set()
    tables = {row["name"] for row in await owner.fetch(WITH_ORG_ID)}
    assert {"tenantry.events", "tenantry.jobs", "tenantry.members", "tenantry.sessions"} <= tables


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ("org_id uuid", "novelties"),
        ("org_id uuid, user_id uuid references tenantry.users on delete cascade", "novelties"),
        ("org_id uuid constraint held_up references tenantry.orgs", "novelties"),
        ("org_id uuid constraint held_up references tenantry.orgs", "held_up"),
        ("place uuid constraint held_up references tenantry.orgs", "held_up"),
        ("org_id uuid references tenantry.orgs on delete cascade", None),
        ("org_id uuid references tenantry.orgs on delete set null", None),
    ],
)
async def test_a_new_table_that_would_keep_an_organization_is_noticed(
    owner: asyncpg.Connection[Any], registry: Registry, columns: str, fault: str | None
) -> None:
    await owner.execute(f"create table tenantry.novelties ({columns})")
    found = await _unhandled(owner, registry.org_tables)
    assert (fault in found) if fault else (found == set())


async def test_a_table_that_is_set_null_in_another_column_only_is_noticed(
    owner: asyncpg.Connection[Any], registry: Registry
) -> None:
    await owner.execute(
        """
        create table tenantry.novelties (org_id uuid, user_id uuid, foreign key (org_id, user_id)
            references tenantry.members on delete set null (user_id))
        """
    )
    assert await _unhandled(owner, registry.org_tables) == {"novelties"}


async def test_a_statement_for_a_table_that_has_no_organization_is_noticed(
    owner: asyncpg.Connection[Any], registry: Registry
) -> None:
    more = {"users": run("delete from tenantry.users where id = :org_id")}
    assert await _unhandled(owner, registry.org_tables | more) == {"users"}


# what is left


_OF = "from {0} t where org_id = $1"


async def _rows_of(house: Installation, org_id: UUID) -> dict[str, list[str]]:
    """Every row with this org_id, by table, as text."""
    tables = [row["name"] for row in await house.rows(WITH_ORG_ID)]
    held = {
        name: sorted([row["said"] for row in await house.rows(f"select t::text as said {_OF.format(name)}", org_id)])
        for name in tables
    }
    return {name: said for name, said in held.items() if said}


EVENTS = """
    insert into tenantry.events (public_id, org_id, kind, version, payload, actor, request_id)
    select gen_random_uuid(), $1, 'trial.happened', 1, '{}', '{}', 'a-test' from generate_series(1, $2)
"""
JOBS = """
    insert into tenantry.jobs (id, org_id, kind, due, queue, priority, run_at)
    select gen_random_uuid(), $1, 'trial.later', one % 2 = 0, 'queue' || one % 3, (one % 5)::smallint,
           tenantry.now() + interval '1 year'
      from generate_series(1, $2) as one
"""
RUNS = """
    insert into tenantry.job_runs (id, asked_at, run_at, leased_until, worker, org_id, priority, version, attempt,
                                   max_attempts, kind, queue, request_id, args)
    select gen_random_uuid(), tenantry.now(), tenantry.now(), tenantry.tick() + interval '1 day', gen_random_uuid(), $1,
           0::smallint, 1::smallint, 1, 25, 'trial.running', 'nobodys', 'a-test', '{}'
      from generate_series(1, $2)
"""
DEAD = """
    insert into tenantry.dead_letters (id, asked_at, run_at, org_id, priority, version, attempt, max_attempts, kind,
                                       queue, request_id, reason, args)
    select gen_random_uuid(), tenantry.now(), tenantry.now(), $1, 0::smallint, 1::smallint, 1, 25, 'trial.dead',
           'nobodys', 'a-test', 'a test', '{}'
      from generate_series(1, $2)
"""
REPORTS = """
    insert into tenantry.job_reports (asked_at, id, org_id, kind)
    select tenantry.now(), gen_random_uuid(), $1, 'trial.tracked' from generate_series(1, $2)
"""


async def _filled(place: Place, rows: int = 40) -> Place:
    """An organization with rows in every table that can hold some."""
    house = place.house
    ben = await place.joined("member")
    await place.joined("owner")
    await place.owner.patch(place.path, {"slug": f"renamed-{place.uuid.hex[-12:]}"})
    await ben.post("/v1/auth/switch-org", {"org": place.id})
    for statement in (EVENTS, JOBS, RUNS, DEAD, REPORTS):
        await house.rows(statement, place.uuid, rows)
    return Place(house, place.id, (await place.owner.get(place.path)).json["slug"], place.owner)


async def _due(house: Installation, clock: HandClock, *, rows: int = 40) -> Place:
    """An organization full of rows whose grace has just gone by."""
    place = await _filled(await founded(house), rows)
    assert (await place.close()).status == 200
    await house.rows("delete from tenantry.jobs where kind like 'orgs.tell%'")
    clock.advance(days=30, minutes=1)
    return place


KINDS = {"tenantry.events", "tenantry.jobs", "tenantry.job_runs", "tenantry.dead_letters", "tenantry.members",
         "tenantry.org_slugs", "tenantry.sessions", "tenantry.job_reports"}  # fmt: skip


async def test_a_purge_leaves_no_row_with_its_id_and_no_other_organization_loses_one(
    clocked: Installation, clock: HandClock
) -> None:
    other = await _filled(await founded(clocked, "Other"))
    place = await _due(clocked, clock)
    assert await _rows_of(clocked, place.uuid) != {}
    assert set(await _rows_of(clocked, place.uuid)) >= KINDS
    before = await _rows_of(clocked, other.uuid)
    assert set(before) >= KINDS
    await _purge(clocked, place.uuid)
    assert await _rows_of(clocked, place.uuid) == {}
    assert await _rows_of(clocked, other.uuid) == before
    assert [row["id"] for row in await clocked.rows("select id from tenantry.orgs")] == [other.uuid]


async def test_a_purge_is_remembered_by_the_house_and_by_no_organizations_history(
    clocked: Installation, clock: HandClock
) -> None:
    place = await _due(clocked, clock)
    await purge(clocked)
    (row,) = await clocked.rows(
        "select org_id, person_id, payload, actor from tenantry.events where kind = 'orgs.org_purged'"
    )
    assert (row["org_id"], row["person_id"]) == (None, None)
    assert json.loads(row["payload"]) == {"purged_id": str(place.uuid)}
    assert json.loads(row["actor"]) == {"kind": "job", "name": "orgs.purge"}
    assert await _rows_of(clocked, place.uuid) == {}


async def test_slugs_of_a_purged_organization_are_free_again(clocked: Installation, clock: HandClock) -> None:
    place = await _due(clocked, clock)
    slugs = [row["slug"] for row in await clocked.rows("select slug from tenantry.org_slugs")]
    assert len(slugs) == 2
    await purge(clocked)
    bob = await again(clocked, place.owner)
    for slug in slugs:
        assert (await bob.post("/v1/orgs", {"name": "Bob", "slug": slug})).status == 201


async def test_its_people_go_on_without_it(clocked: Installation, clock: HandClock) -> None:
    place = await _due(clocked, clock)
    await purge(clocked)
    ada = await again(clocked, place.owner)
    assert (await ada.get("/v1/orgs")).json["items"] == []
    for method, path in (("GET", ""), ("GET", "/members"), ("DELETE", "/closure")):
        body = {"slug": place.slug} if method == "DELETE" else None
        assert (await ada.request(method, place.path + path, body=body)).code == "not_found"
    assert await clocked.rows("select from tenantry.sessions where org_id is not null") == []
    assert (await ada.post("/v1/users/me/closure", {"password": "correct horse battery staple"})).status == 200


async def test_nothing_is_purged_before_the_grace_is_over(clocked: Installation, clock: HandClock) -> None:
    place, opened = await closed(clocked), await founded(clocked)
    clock.advance(days=29, hours=23)
    await purge(clocked)
    await _purge(clocked, place.uuid)
    assert len(await clocked.rows("select from tenantry.orgs")) == 2
    clock.advance(hours=2)
    await purge(clocked)
    assert [row["id"] for row in await clocked.rows("select id from tenantry.orgs")] == [opened.uuid]


async def test_an_organization_that_was_opened_again_is_not_purged(clocked: Installation, clock: HandClock) -> None:
    place = await closed(clocked)
    assert (await place.reopen()).status == 200
    clock.advance(days=40)
    await purge(clocked)
    await _purge(clocked, place.uuid)
    assert (await (await again(clocked, place.owner)).get(place.path)).json["closes_at"] is None
    assert await clocked.recorded("orgs.org_purged") == []


async def test_jobs_that_come_late_end_without_effect(clocked: Installation, clock: HandClock) -> None:
    place = await _due(clocked, clock)
    await _purge(clocked, place.uuid)
    await clocked.drain_jobs()
    mails = len(await clocked.mails())
    both = json.dumps({"org_id": str(place.uuid), "user_id": str(user_of(place.owner))})
    told = {"org_id": str(place.uuid), "user_id": str(user_of(place.owner)), "version_after": 2}
    async with SystemWork(as_house(clocked).within(place.uuid), reason="a test") as work:
        for kind in ("orgs.mail_closing", "orgs.mail_reopening"):
            work.enqueue(NewJob(kind, both))
        work.enqueue(NewJob("orgs.tell_of_closing", json.dumps(told | {"purge_at": "2026-01-01T00:00:00Z"})))
        work.enqueue(NewJob("orgs.tell_of_reopening", json.dumps(told)))
        work.enqueue(NewJob("orgs.purge", json.dumps({"org_id": str(place.uuid)})))
    assert await clocked.drain_jobs() == 5
    assert len(await clocked.mails()) == mails
    assert await _rows_of(clocked, place.uuid) == {}
    assert await clocked.rows("select from tenantry.dead_letters") == []
    assert len(await clocked.recorded("orgs.org_purged")) == 1


# batches


async def _batch(house: Installation, org_id: UUID, runtime: Runtime | None = None) -> bool:
    call = msgspec.structs.replace(as_house(house), runtime=runtime or house.runtime)
    async with ForgettingWork(call, reason="a test") as work:
        return await actions.purge_org(work, org_id=org_id)


async def _purge(house: Installation, org_id: UUID, runtime: Runtime | None = None) -> None:
    """Purge an organization past the queue, perhaps with another runtime."""
    while not await _batch(house, org_id, runtime):
        pass


async def test_no_batch_removes_more_than_its_share_however_many_rows_there_are(
    clocked: Installation, clock: HandClock
) -> None:
    place = await _due(clocked, clock, rows=FORGOTTEN_AT_ONCE + 1)
    before = sum(map(len, (await _rows_of(clocked, place.uuid)).values()))
    assert before > 4 * FORGOTTEN_AT_ONCE
    while not await _batch(clocked, place.uuid):
        left = sum(map(len, (await _rows_of(clocked, place.uuid)).values()))
        assert 0 < before - left <= FORGOTTEN_AT_ONCE
        before = left
    assert await _rows_of(clocked, place.uuid) == {}


async def test_each_batch_finds_its_rows_by_an_index(clocked: Installation, clock: HandClock) -> None:
    place = await _due(clocked, clock, rows=200)
    async with ForgettingWork(as_house(clocked), reason="a test") as work:
        for name in ("jobs", "dead_letters", "job_reports", "events", "members"):
            statement = clocked.runtime.org_tables[name]
            values = statement.arguments({"org_id": place.uuid, "most": FORGOTTEN_AT_ONCE})
            plan = await work.connection.fetch(f"explain (costs off) {statement.sql}", *values)
            read_whole = [row[0] for row in plan if "Seq Scan on" in row[0] and "orgs" not in row[0]]
            assert not read_whole, (name, "\n".join(row[0] for row in plan))
        assert await forget_some(work, place.uuid, most=1) == 1


async def test_a_long_purge_hands_on_from_job_to_job(
    clocked: Installation, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenantry.orgs.jobs.closure.PURGE_SECONDS", 0.0)
    place = await _due(clocked, clock)
    batches = len(await _rows_of(clocked, place.uuid)) - 2
    async with SystemWork(as_house(clocked), reason="a test") as work:
        work.enqueue(NewJob("orgs.ask_for_purges"))
    assert await clocked.drain_jobs() > batches
    assert await _rows_of(clocked, place.uuid) == {}
    assert len(await clocked.recorded("orgs.org_purged")) == 1
    assert await clocked.rows("select from tenantry.jobs") == []


async def test_a_purge_is_asked_for_once_while_it_waits(clocked: Installation, clock: HandClock) -> None:
    await closed(clocked)
    clock.advance(days=31)
    await clocked.drain_jobs()
    for _ in range(2):
        async with SystemWork(as_house(clocked), reason="a test") as work:
            work.enqueue(NewJob("orgs.ask_for_purges"))
    asking = [handler for handler in clocked.registry.handlers if handler.kind == "orgs.ask_for_purges"]
    await drain_jobs(clocked.runtime, asking, until_idle=False)
    assert len(await clocked.rows("select from tenantry.jobs where kind = 'orgs.purge'")) == 1


# races and deaths


async def _blocked(house: Installation, waiting: asyncio.Task[Any]) -> None:
    """Until a task's transaction waits for another one's lock."""
    async with asyncio.timeout(10):
        while not await house.rows("select from pg_locks where not granted"):
            assert not waiting.done()
            await asyncio.sleep(0.01)


async def _due_with_an_owner_at_the_door(house: Installation, clock: HandClock) -> Place:
    place = await _filled(await founded(house))
    await place.close()
    clock.advance(days=30, minutes=-1)
    ada = await again(house, place.owner)
    clock.advance(minutes=2)
    return Place(house, place.id, place.slug, ada)


async def test_a_purge_that_comes_second_to_an_opening_does_nothing(clocked: Installation, clock: HandClock) -> None:
    place = await _due_with_an_owner_at_the_door(clocked, clock)
    before = await _rows_of(clocked, place.uuid)
    async with await as_owner(place, even_closed=True) as work:
        await actions.reopen_org(work, slug=place.slug)
        second = asyncio.create_task(_batch(clocked, place.uuid))
        await _blocked(clocked, second)
    assert await second is True
    after = await _rows_of(clocked, place.uuid)
    told = {"tenantry.events", "tenantry.audit_log", "tenantry.jobs"}
    assert {name: len(rows) for name, rows in after.items() if name not in told} == {
        name: len(rows) for name, rows in before.items() if name not in told
    }
    assert set(before["tenantry.events"]) < set(after["tenantry.events"])
    assert (await place.owner.get(place.path)).json["closes_at"] is None


async def test_an_opening_that_comes_second_to_the_first_batch_is_too_late(
    clocked: Installation, clock: HandClock
) -> None:
    place = await _due_with_an_owner_at_the_door(clocked, clock)
    async with ForgettingWork(as_house(clocked), reason="a test") as work:
        assert await actions.purge_org(work, org_id=place.uuid) is False
        second = asyncio.create_task(place.reopen())
        await _blocked(clocked, second)
    assert ((await second).status, (await second).code) == (409, "purge_begun")
    assert (await place.reopen()).code == "purge_begun"
    await _purge(clocked, place.uuid)
    assert await _rows_of(clocked, place.uuid) == {}
    assert (await place.reopen()).code == "not_found"


async def test_an_opening_that_comes_second_to_the_last_batch_finds_nothing(
    clocked: Installation, clock: HandClock
) -> None:
    place = await _due_with_an_owner_at_the_door(clocked, clock)

    async def reopen() -> None:
        async with await as_owner(place, even_closed=True) as work:
            await actions.reopen_org(work, slug=place.slug)

    while (await clocked.rows("select 1 from tenantry.details where org_id = $1 limit 1", place.uuid)) != []:
        assert not await _batch(clocked, place.uuid)
    async with ForgettingWork(as_house(clocked), reason="a test") as work:
        assert await actions.purge_org(work, org_id=place.uuid) is True
        second = asyncio.create_task(reopen())
        await _blocked(clocked, second)
    with pytest.raises(NotFound):
        await second
    assert await clocked.recorded("orgs.org_reopened") == []


async def test_openings_and_purges_at_once_leave_a_whole_organization_or_none(
    clocked: Installation, clock: HandClock
) -> None:
    for _ in range(4):
        place = await _due_with_an_owner_at_the_door(clocked, clock)
        rows = await _rows_of(clocked, place.uuid)
        reopened, *_ = await asyncio.gather(place.reopen(), *(_purge(clocked, place.uuid) for _ in range(3)))
        left = await _rows_of(clocked, place.uuid)
        if reopened.status == 200:
            assert {name: len(kept) for name, kept in left.items()} >= {
                name: len(kept) for name, kept in rows.items() if name not in ("tenantry.jobs",)
            } or set(left) >= set(rows)
        else:
            assert (reopened.code, left) in (("purge_begun", {}), ("not_found", {}))


async def test_two_purges_of_one_organization_at_once_purge_once(clocked: Installation, clock: HandClock) -> None:
    place = await _due(clocked, clock)
    await asyncio.gather(*(_purge(clocked, place.uuid) for _ in range(4)))
    assert len(await clocked.recorded("orgs.org_purged")) == 1
    assert await _rows_of(clocked, place.uuid) == {}


async def test_a_row_that_is_being_added_at_the_last_moment_is_waited_for(
    clocked: Installation, clock: HandClock
) -> None:
    place = await _due(clocked, clock)
    async with SystemWork(as_house(clocked), reason="a test") as work:
        # what refers to the organization is gone by the cascade; what was said beside it has to be seen
        await work.connection.execute("insert into tenantry.org_slugs values ('a-late-one', $1)", place.uuid)
        await work.connection.execute(EVENTS, place.uuid, 3)
        purging = asyncio.create_task(_purge(clocked, place.uuid))
        await _blocked(clocked, purging)
    await purging
    assert await _rows_of(clocked, place.uuid) == {}


async def test_a_purge_that_dies_in_any_batch_keeps_what_was_done_and_goes_on(
    clocked: Installation, clock: HandClock
) -> None:
    place = await _due(clocked, clock)
    other = await _filled(await founded(clocked, "Other"))
    before = await _rows_of(clocked, other.uuid)
    known = dict(clocked.runtime.org_tables)
    for name in known:
        deadly = known | {name: run("select 1 / 0, :org_id::uuid, :most::bigint")}
        dying = msgspec.structs.replace(clocked.runtime, org_tables=deadly)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await _purge(clocked, place.uuid, dying)
    await _purge(clocked, place.uuid)
    assert await _rows_of(clocked, place.uuid) == {}
    assert await _rows_of(clocked, other.uuid) == before


async def test_a_purge_that_fails_keeps_no_other_waiting(clocked: Installation, clock: HandClock) -> None:
    stubborn, other = await closed(clocked), await closed(clocked)
    clock.advance(days=31)
    await clocked.drain_jobs()
    refusing = run(f"""
        delete from tenantry.jobs
         where id is null and 1 / (:org_id::uuid <> '{stubborn.uuid}')::integer > :most::integer
    """)
    runtime = msgspec.structs.replace(clocked.runtime, org_tables={"stubborn": refusing} | clocked.runtime.org_tables)
    await _purge_with(clocked, runtime)
    assert await clocked.recorded("orgs.org_purged") == [{"purged_id": str(other.uuid)}]
    assert [row["id"] for row in await clocked.rows("select id from tenantry.orgs")] == [stubborn.uuid]


async def _purge_with(house: Installation, runtime: Runtime) -> None:
    async with SystemWork(as_house(house), reason="a test") as work:
        work.enqueue(NewJob("orgs.ask_for_purges"))
    await drain_jobs(runtime, house.registry.handlers)


# the history of others


async def test_the_house_deletes_no_history_but_that_of_an_organization_being_purged(
    clocked: Installation, clock: HandClock
) -> None:
    other, place = await closed(clocked), await _due(clocked, clock)
    counted = "select count(*) as rows from tenantry.events"
    before = (await clocked.rows(counted))[0]["rows"]
    await clocked.rows("delete from tenantry.events")
    assert (await clocked.rows(counted))[0]["rows"] == before
    await clocked.rows("update tenantry.orgs set purge_began_at = tenantry.now() where id = $1", place.uuid)
    await clocked.rows("delete from tenantry.events")
    left = await clocked.rows("select distinct org_id from tenantry.events where org_id is not null")
    assert [row["org_id"] for row in left] == [other.uuid]
    assert await clocked.rows("select from tenantry.events where org_id is null")


async def test_nobody_but_the_house_purges(house: Installation) -> None:
    place = await founded(house)
    with pytest.raises(Forbidden):
        async with await as_owner(place) as work:
            await actions.purge_org(work, org_id=place.uuid)  # type: ignore[arg-type]


# a plugin's tables


async def test_a_plugins_tables_are_emptied_before_those_they_build_on(database_url: str, tmp_path: Path) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        """
        create table tenantry.notes (org_id uuid not null, author uuid references tenantry.users, text text);
        grant select, insert, update, delete on tenantry.notes to tenantry_system;
        """
    )
    forget = run(
        "delete from tenantry.notes where ctid in (select ctid from tenantry.notes where org_id = :org_id limit :most)"
    )
    notes = Domain(
        name="notes",
        needs=("orgs",),
        tables={"notes": erased(run("delete from tenantry.notes where author = :user_id"))},
        org_tables={"notes": forget},
    )
    known = Registry((accounts, orgs, plans, usage, billing, webhooks, admin, notes))
    build_upon = (domain.org_tables for domain in (admin, webhooks, billing, usage, orgs))
    assert list(known.org_tables) == ["notes", *chain.from_iterable(build_upon), *OF_FOUNDATION]
    clock = HandClock(tmp_path / "clock")
    async with installed(database_url, tmp_path, registry=known, environ=clock.environ) as house:
        place, other = await closed(house), await founded(house)
        for one in (place, other):
            await house.rows("insert into tenantry.notes values ($1, $2, 'a thought')", one.uuid, user_of(one.owner))
        clock.advance(days=31)
        await purge(house)
        assert await _unhandled(owner, known.org_tables) == set()
        assert [row["org_id"] for row in await house.rows("select org_id from tenantry.notes")] == [other.uuid]
    await owner.close()
