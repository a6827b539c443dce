"""Months: made before they begin, dropped when their time is over, and rows that came too early moved along."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
from log_kit import Looks, added, month_away, put, runtime_on, work_on, writing

from patience import until
from tenantry.foundation import housekeeping
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.data import months
from tenantry.foundation.data.months import Monthly
from tenantry.foundation.events.log import BEGINNING, read_log
from tenantry.foundation.housekeeping import months_at_start, upkeep_of_months
from tenantry.foundation.runtime import Runtime
from tenantry.testing import HandClock

PARTITIONS = """
    select relname, relrowsecurity and relforcerowsecurity as walled
      from pg_inherits
      join pg_class on pg_class.oid = inhrelid
     where inhparent = ('tenantry.' || $1::text)::regclass
     order by relname
"""


async def partitions(looks: Looks, table: str = "events") -> list[str]:
    found = await looks(PARTITIONS, table)
    assert all(row["walled"] for row in found)
    return [row["relname"].removeprefix(f"{table}_") for row in found]


def month(ahead: int = 0, since: datetime | None = None) -> str:
    first = month_away(since or datetime.now(UTC), ahead)
    return f"y{first:%Y}m{first:%m}"


async def upkeep(runtime: Runtime) -> None:
    await upkeep_of_months(Call(runtime, NOBODY, "req"))


# what was used may be told five weeks later
BEFORE = {"usage_events": 2}


@pytest.mark.parametrize("table", [one.table for one in months.MONTHLY])
async def test_a_new_database_has_this_month_and_the_next_three(looks: Looks, table: str) -> None:
    assert await partitions(looks, table) == ["rest", *map(month, range(-BEFORE.get(table, 0), 4))]


async def test_what_happens_lands_in_its_month(writer: asyncpg.Connection) -> None:
    await put(writer, added(1))
    [row] = await writer.fetch("select tableoid::regclass::text as part from tenantry.events")
    assert row["part"] == f"tenantry.events_{month()}"


async def test_the_upkeep_makes_months_before_they_begin(dsn: str, looks: Looks, clock: HandClock) -> None:
    runtime = runtime_on(dsn, test_clock=str(clock.environ["TENANTRY_TEST_CLOCK"]))
    clock.advance(days=62)
    await upkeep(runtime)
    wanted = [month(ahead, clock.now) for ahead in range(4)]
    assert set(wanted) <= set(await partitions(looks))
    assert set(wanted) <= set(await partitions(looks, "audit_log"))
    runtime.database.close()


async def test_rows_that_came_before_their_month_was_made_move_to_it(
    dsn: str, looks: Looks, clock: HandClock, runtime: Runtime
) -> None:
    clock.advance(days=400)
    clocked = runtime_on(dsn, test_clock=str(clock.environ["TENANTRY_TEST_CLOCK"]))
    async with writing(dsn) as connection:
        await connection.execute(f"set tenantry.clock = '{clock.now.isoformat()}'")
        await put(connection, added(1, 2, 3))
        before = await connection.fetch("select id, public_id, tableoid::regclass::text as part from tenantry.events")
        await upkeep(clocked)
        after = await connection.fetch("select id, public_id, tableoid::regclass::text as part from tenantry.events")
    clocked.database.close()
    assert {row["part"] for row in before} == {"tenantry.events_rest"}
    assert {row["part"] for row in after} == {f"tenantry.events_{month(0, clock.now)}"}
    assert [(row["id"], row["public_id"]) for row in before] == [(row["id"], row["public_id"]) for row in after]
    async with work_on(runtime) as work:
        assert len((await read_log(work, BEGINNING, 10)).events) == 3
    # nobody came past the wall meanwhile, nor does afterwards
    assert "rest" in await partitions(looks)
    owner = await asyncpg.connect(dsn)
    assert await owner.fetchval("select count(*) from tenantry.events_rest") == 0
    await owner.close()


async def test_more_rows_than_writers_can_wait_for_are_not_moved(dsn: str, writer: asyncpg.Connection) -> None:
    await writer.execute("set tenantry.clock = '2040-05-05T00:00:00+00:00'")
    await put(writer, added(1, 2, 3))
    with pytest.raises(asyncpg.ProgramLimitExceededError, match="events_rest has more rows"):
        await writer.fetchval("select tenantry.make_month('events', date '2040-05-01', 2)")
    assert await writer.fetchval("select to_regclass('tenantry.events_y2040m05')") is None
    assert await writer.fetchval("select tenantry.make_month('events', date '2040-05-01', 3)")


async def test_only_months_past_their_time_are_dropped(
    dsn: str, runtime: Runtime, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [month_away(datetime.now(UTC), -ago).date() for ago in (1, 2, 3, 4)]
    async with writing(dsn) as connection:
        for first in old:
            await connection.execute("select tenantry.make_month('audit_log', $1)", first)
            await connection.execute("select tenantry.make_month('events', $1)", first)
    monkeypatch.setattr(months, "MONTHLY", (Monthly("events"), Monthly("audit_log", kept=2)))
    await upkeep(runtime)
    assert await partitions(looks, "audit_log") == ["rest", *map(month, range(-2, 4))]
    assert await partitions(looks, "events") == ["rest", *map(month, range(-4, 4))]


async def test_a_month_that_is_in_use_is_left_for_the_next_time(
    dsn: str, runtime: Runtime, looks: Looks, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    past = month_away(datetime.now(UTC), -5).date()
    async with writing(dsn) as connection:
        await connection.execute("select tenantry.make_month('audit_log', $1)", past)
        monkeypatch.setattr(months, "MONTHLY", (Monthly("audit_log", kept=1), Monthly("events")))
        monkeypatch.setattr(months, "MADE_AHEAD", 4)
        await connection.execute("begin; select count(*) from tenantry.audit_log")
        await upkeep(runtime)
        await connection.execute("rollback")
    # the rest of the upkeep was done all the same
    assert month(-5) in await partitions(looks, "audit_log")
    assert month(4) in await partitions(looks, "events")
    assert "a month was not dropped" in capsys.readouterr().out
    await upkeep(runtime)
    assert month(-5) not in await partitions(looks, "audit_log")


async def test_of_two_that_make_the_same_month_at_once_the_second_finds_it(dsn: str) -> None:
    make = "select tenantry.make_month('events', date '2041-01-01')"
    async with writing(dsn) as first, writing(dsn) as second:
        await first.execute("begin")
        assert await first.fetchval(make)
        waiting = asyncio.create_task(second.fetchval(make))
        await until(lambda: first.fetchval("select count(*) from pg_locks where not granted"))
        await first.execute("commit")
        assert await waiting is False


async def test_workers_that_start_together_make_the_same_months(
    runtime: Runtime, another: Runtime, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "MADE_AHEAD", 6)
    await asyncio.gather(months_at_start(runtime), months_at_start(another))
    assert await partitions(looks) == ["rest", *map(month, range(7))]


async def test_a_start_without_a_database_is_a_start_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    runtime = runtime_on("postgresql://nobody@127.0.0.1:1/nothing")
    await months_at_start(runtime)
    assert "months could not be looked after" in capsys.readouterr().out


def test_the_house_looks_after_months_twice_a_day() -> None:
    assert "keep_months" in vars(housekeeping)
