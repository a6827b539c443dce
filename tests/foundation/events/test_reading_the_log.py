"""Reading the log: in its order, whole transactions, never past what may still come; and what was written of old."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import log_trial
import pytest
from log_kit import added, put, work_on, writing

from patience import until
from tenantry.foundation.events import log
from tenantry.foundation.events.log import BEGINNING, Page, Position, read_log
from tenantry.foundation.events.looking import LookingWork
from tenantry.foundation.events.standing import due
from tenantry.foundation.runtime import Runtime

Connection = asyncpg.Connection
HELD = 4964
# exactly one row stays unseen while later ones are committed: what made Marten lose events (its issue 4964)
SLOW = f"""
create function tenantry.slow() returns trigger language plpgsql as
$$begin perform pg_advisory_xact_lock({HELD}); return new; end$$;
create trigger slow before insert on tenantry.events for each row
    when (new.request_id = 'slow') execute function tenantry.slow();
"""


async def read(runtime: Runtime, after: Position = BEGINNING, most: int = 1000, **rest: Any) -> Page:
    async with work_on(runtime, reading=True) as work:
        return await read_log(work, after, most, **rest)


def numbers(page: Page) -> list[int]:
    return [one.event.n for one in page.events if isinstance(one.event, log_trial.Added)]


async def test_an_event_that_is_slow_to_commit_is_not_passed_over(dsn: str, runtime: Runtime) -> None:
    owner = await asyncpg.connect(dsn)
    await owner.execute(SLOW)
    await owner.execute(f"select pg_advisory_lock({HELD})")
    async with writing(dsn) as slow, writing(dsn) as quick:
        late = asyncio.create_task(
            slow.execute(
                "insert into tenantry.events (public_id, kind, version, payload, actor, request_id)"
                " values (gen_random_uuid(), 'log_trial.added', 1, '{\"n\": 0}', '{}', 'slow')"
            )
        )
        await until(lambda: owner.fetchval("select count(*) from pg_locks where locktype = 'advisory' and not granted"))
        for n in range(1, 51):
            await put(quick, added(n))
        naive = [row["id"] for row in await quick.fetch("select id from tenantry.events order by id")]
        first = await read(runtime)
        await owner.execute(f"select pg_advisory_unlock({HELD})")
        await late
        behind = [row["id"] for row in await quick.fetch("select id from tenantry.events where id > $1", naive[-1])]
    then = await read(runtime, first.reached)
    await owner.close()
    assert numbers(first) == []
    assert not first.more
    assert numbers(then) == list(range(51))
    # what goes by the numbers has seen fifty, goes on behind the fiftieth, and never sees the first
    assert (len(naive), behind) == (50, [])


async def test_a_page_holds_whole_transactions(runtime: Runtime, writer: Connection) -> None:
    for first in (0, 10, 20):
        await put(writer, added(*range(first, first + 10)))
    page = await read(runtime, most=15)
    assert numbers(page) == list(range(10))
    assert page.more
    page = await read(runtime, page.reached, most=15)
    assert numbers(page) == list(range(10, 20))
    assert page.more
    page = await read(runtime, page.reached, most=15)
    assert numbers(page) == list(range(20, 30))
    assert not page.more


async def test_a_transaction_longer_than_a_page_is_read_whole(runtime: Runtime, writer: Connection) -> None:
    await put(writer, added(*range(40)))
    await put(writer, added(40))
    await put(writer, added(41))
    page = await read(runtime, most=7)
    assert numbers(page) == list(range(40))
    assert page.more
    page = await read(runtime, page.reached, most=7)
    assert numbers(page) == [40, 41]
    assert not page.more


async def test_only_a_transaction_beyond_the_cap_comes_in_parts(
    runtime: Runtime, writer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "WHOLE", 30)
    await put(writer, added(*range(70)))
    await put(writer, added(70, 71))
    parts, after = [], BEGINNING
    while True:
        page = await read(runtime, after, most=5)
        parts.append(numbers(page))
        after = page.reached
        if not page.more:
            break
    assert [len(part) for part in parts if part][:2] == [30, 30]
    assert [n for part in parts for n in part] == list(range(72))


async def test_one_at_a_time_it_is_one_event_whatever_its_transaction(runtime: Runtime, writer: Connection) -> None:
    await put(writer, added(1, 2, 3))
    after, found = BEGINNING, []
    for _ in range(3):
        page = await read(runtime, after, most=1, whole=False)
        found.append(numbers(page))
        after = page.reached
    assert found == [[1], [2], [3]]


async def test_kinds_and_organizations_can_be_picked_and_the_rest_is_passed(
    runtime: Runtime, writer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LOOKED_AT", 8)
    monkeypatch.setattr(log, "WHOLE", 7)
    for _ in range(5):
        await put(writer, ["{}"] * 5, kind="log_trial.unknown")
    await put(writer, added(1))
    page = await read(runtime, most=2, kinds=["log_trial.added"])
    assert page.events == []
    assert page.more
    assert page.reached > BEGINNING
    seen = []
    while page.more:
        page = await read(runtime, page.reached, most=2, kinds=["log_trial.added"])
        seen += numbers(page)
    assert seen == [1]
    org = "00000000-0000-0000-0000-000000000001"
    await writer.execute(
        "insert into tenantry.events (public_id, org_id, kind, version, payload, actor, request_id)"
        f" values (gen_random_uuid(), '{org}', 'log_trial.added', 1, '{{\"n\": 9}}', '{{}}', 'req')"
    )
    whole, after = [], BEGINNING
    while True:
        page = await read(runtime, after, org=asyncpg.pgproto.pgproto.UUID(org))
        whole += numbers(page)
        after = page.reached
        if not page.more:
            break
    assert whole == [9]


async def test_an_unknown_kind_stays_as_it_was_written(runtime: Runtime, writer: Connection) -> None:
    await put(writer, ['{"x": [1]}'], kind="gone.happened", version=4)
    [one] = (await read(runtime)).events
    assert (one.event, one.kind, one.version, bytes(one.payload)) == (None, "gone.happened", 4, b'{"x": [1]}')


@pytest.mark.parametrize(
    ("version", "payload"),
    [(1, '{"title": "Ada"}'), (2, '{"name": "Ada"}'), (3, '{"name": "Ada", "length": 3}')],
)
async def test_a_payload_of_any_age_is_read_as_the_event_is_now(
    runtime: Runtime, writer: Connection, version: int, payload: str
) -> None:
    await put(writer, [payload], kind="log_trial.renamed", version=version)
    [one] = (await read(runtime)).events
    assert one.event == log_trial.Renamed(name="Ada", length=3)


@pytest.mark.parametrize(("version", "payload"), [(4, "{}"), (3, "{}"), (3, '{"name": 5, "length": "x"}')])
async def test_what_cannot_be_read_comes_without_an_event(
    runtime: Runtime, writer: Connection, version: int, payload: str
) -> None:
    await put(writer, [payload], kind="log_trial.renamed", version=version)
    [one] = (await read(runtime)).events
    assert one.event is None


async def test_the_log_is_read_by_its_index_whatever_statistics_say(runtime: Runtime, writer: Connection) -> None:
    await put(writer, added(*range(3000)))
    looked = {"kinds": None, "org": None, "looked": 1001, "most": 1000, "below_epoch": 1, "below_tx": 10**9}
    place = {"epoch": 1, "tx": 1, "id": 1}
    async with work_on(runtime, reading=True) as work:
        await log.horizon_now(work)
        explained = await work.connection.fetch(
            f"explain (costs off) {log.look.sql}", *log.look.arguments(looked | place)
        )
        plan = "\n".join(row[0] for row in explained)
        assert "Merge Append" in plan
        assert "Seq Scan" not in plan
        assert "  Sort\n" not in plan
        await read_log(work, BEGINNING, 10)
        # and what comes after it is planned as usual
        for setting in ("enable_seqscan", "enable_bitmapscan"):
            assert await work.connection.fetchval(f"show {setting}") == "on"
    async with LookingWork(runtime, reason="a test") as work:
        asked = {"names": ["a"], "kinds": ["b"], "passed": 200}
        explained = await work.connection.fetch(f"explain (costs off) {due.sql}", *due.arguments(asked))
    assert "Seq Scan on events" not in "\n".join(row[0] for row in explained)


async def test_after_a_restore_the_new_transactions_come_after_the_old(
    dsn: str, runtime: Runtime, writer: Connection
) -> None:
    await put(writer, added(1))
    owner = await asyncpg.connect(dsn)
    # what a dump brings along was written by transactions that this server has not come to yet
    await owner.execute("alter table tenantry.events no force row level security")
    await owner.execute("update tenantry.events set tx = '900000000000'::xid8")
    await owner.execute("alter table tenantry.events force row level security")
    held = await read(runtime)
    await owner.execute(
        "create or replace function tenantry.epoch() returns integer language sql immutable as 'select 2'"
    )
    await owner.close()
    async with writing(dsn) as fresh:
        await put(fresh, added(2))
    page = await read(runtime)
    assert numbers(held) == []
    assert numbers(page) == [1, 2]
    assert [one.position.epoch for one in page.events] == [1, 2]


def test_a_place_in_the_log_can_be_written_down() -> None:
    place = Position(1, 2**40, 7)
    assert Position.read(place.text) == place
    assert Position(1, 9, 9) < Position(1, 10, 1) < Position(2, 1, 1)
