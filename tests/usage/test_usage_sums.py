"""Sums of usage: whatever happens, and whoever is killed while summing up, they are what their events make."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from metered import (
    BILLED,
    LETTERS,
    again,
    fold,
    founded,
    house_work,
    metering,
    org_uuid,
    raw,
    report,
    sums,
    used,
    work_in,
)

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data import database
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.data.sql import value
from tenantry.testing import Client, HandClock, Installation
from tenantry.usage import actions, cli, exchanges, queries
from tenantry.usage.models import Period

START = datetime(2026, 5, 10, 12, 30, tzinfo=UTC)


@pytest.fixture
async def house(database_url: str, tmp_path: Path, clock: HandClock) -> AsyncIterator[Installation]:
    """An installation in which something is used, on the tenth of May."""
    clock.set(START)
    async with metering(database_url, tmp_path, **clock.environ) as running:
        yield running
    BILLED.clear()


async def use(house: Installation, org: str, quantity: int = 1) -> None:
    async with work_in(house, org) as work:
        work.meter(LETTERS, quantity)


async def differences(house: Installation) -> list[Any]:
    found = await exchanges.prove_usage(Call(house.runtime, Actor("cli"), "a-proof"))
    assert found.wrong == len(found.differences)
    return found.differences


async def close(house: Installation) -> int:
    async with house_work(house) as work:
        return await actions.close_periods(work)


async def periods(house: Installation, org: str) -> list[tuple[str, str, int]]:
    rows = await house.rows(
        """
        select started_at, ended_at, coalesce(sum(quantity), 0)::bigint as quantity
          from tenantry.usage_periods left join tenantry.usage_totals using (org_id, started_at)
         where org_id = $1
         group by 1, 2
         order by 1
        """,
        org_uuid(org),
    )
    return [(f"{row['started_at']:%m-%d}", f"{row['ended_at']:%m-%d}", row["quantity"]) for row in rows]


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def late(key: str, at: datetime, quantity: int = 1) -> dict[str, Any]:
    return {"meter": "api_calls", "quantity": quantity, "key": key, "at": at.isoformat()}


async def test_an_answer_is_the_same_before_and_after_folding(house: Installation, clock: HandClock) -> None:
    owner, org = await founded(house)
    await report(owner, org, *(late(f"{hours}", START - timedelta(hours=hours), 1 + hours) for hours in range(30)))
    span = {"since": "2026-05-08T00:00:00Z", "until": "2026-05-11T00:00:00Z", "meter": "api_calls"}
    asked: list[dict[str, str]] = [{"by": "hour"} | span, {"by": "day"} | span, {"by": "period"} | span]
    asked.append({"by": "minute"} | span | {"since": "2026-05-10T00:00:00Z"})
    before = [await sums(owner, org, **query) for query in asked]
    assert [len(found) for found in before] == [30, 2, 1, 13]
    assert [one["quantity"] for one in before[1]] == [sum(range(14, 31)), sum(range(1, 14))]
    await fold(house, most=7)
    assert [await sums(owner, org, **query) for query in asked] == before
    await report(owner, org, late("more", START, 100))
    assert await used(owner, org, "api_calls") == sum(range(1, 31)) + 100
    await fold(house)
    assert await used(owner, org, "api_calls") == sum(range(1, 31)) + 100


async def test_nothing_is_skipped_that_commits_after_what_began_later(house: Installation) -> None:
    owner, org = await founded(house)
    slow: asyncpg.Connection[Any] = await asyncpg.connect(house.runtime.database.url)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute("set local role tenantry_system")
    await slow.execute(
        """
        insert into tenantry.usage_events (org_id, meter, quantity, request_id, at)
        values ($1, 'letters', 3, 'slow', $2)
        """,
        org_uuid(org),
        START,
    )
    await use(house, org, 4)
    await fold(house)
    assert await used(owner, org) == 4
    await transaction.commit()
    await slow.close()
    assert await used(owner, org) == 7
    assert await fold(house) == 1
    assert (await used(owner, org), await differences(house)) == (7, [])


class Failing:
    """A connection that fails at its nth statement, after having done it."""

    def __init__(self, connection: Any, nth: int) -> None:
        self._connection, self.left = connection, nth

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in {"execute", "fetch", "fetchrow", "fetchval"}:
            return found

        async def asked(*args: Any, **more: Any) -> Any:
            answer = await found(*args, **more)
            self.left -= 1
            if self.left == 0:
                raise ConnectionResetError
            return answer

        return asked


async def test_whoever_fails_anywhere_while_folding_has_added_nothing(house: Installation) -> None:
    owner, org = await founded(house)
    BILLED[org_uuid(org)] = Period(day(5, 8), day(6, 8))
    await use(house, org, 5)
    await report(owner, org, late("before", day(4, 20), 7))
    nth = 0
    while await _fails(house, nth := nth + 1):
        rows = await house.rows("select from tenantry.usage_totals union all select from tenantry.usage_hours")
        assert rows == []
        assert await used(owner, org) == 5
    assert nth > 8
    assert await periods(house, org) == [("04-01", "05-01", 7), ("05-08", "06-08", 5)]
    assert await differences(house) == []


async def _fails(house: Installation, nth: int) -> bool:
    try:
        async with house_work(house) as work:
            connection = work.connection
            work.connection = Failing(connection, nth)  # type: ignore[assignment]
            try:
                assert await actions.fold_usage(work)
            finally:
                work.connection = connection
    except DatabaseUnavailable:
        return True
    return False


async def test_many_who_fold_while_others_use_count_each_event_once(house: Installation) -> None:
    owner, org = await founded(house)

    async def folding() -> None:
        for _ in range(15):
            async with house_work(house) as work:
                await actions.fold_usage(work, most=3)

    await asyncio.gather(*(use(house, org, 1 + number) for number in range(40)), *(folding() for _ in range(4)))
    assert await used(owner, org) == sum(range(1, 41))
    await fold(house)
    assert await used(owner, org) == sum(range(1, 41)) == await raw(house, org)
    assert await differences(house) == []


async def test_what_is_late_counts_for_its_own_time_and_adjusts_what_is_closed(
    house: Installation, clock: HandClock
) -> None:
    owner, org = await founded(house)
    await report(owner, org, late("may", START, 5))
    await fold(house)
    clock.set(day(6, 2))
    assert await close(house) == 1
    owner = await again(house, owner)
    await report(
        owner, org, late("late", START, 2), late("later", START + timedelta(days=3), 3), late("june", day(6, 1))
    )
    await fold(house)
    assert await periods(house, org) == [("05-01", "06-01", 10), ("06-01", "07-01", 1)]
    adjusted = await house.rows("select started_at, meter, quantity from tenantry.usage_adjustments")
    assert [tuple(row) for row in adjusted] == [(day(5, 1), "api_calls", 5)]
    span = {"since": "2026-05-10T12:00:00Z", "until": "2026-05-10T13:00:00Z"}
    assert await used(owner, org, "api_calls", by="hour", **span) == 7
    assert await differences(house) == []


async def test_a_period_is_closed_some_time_after_its_end_and_only_once(house: Installation, clock: HandClock) -> None:
    _, org = await founded(house)
    await use(house, org)
    await fold(house)
    clock.set(day(6, 1) + timedelta(minutes=59))
    assert await close(house) == 0
    clock.advance(minutes=1)
    assert [await close(house), await close(house)] == [1, 0]


async def test_a_subscription_that_begins_within_a_month_cuts_it_and_takes_its_part(
    house: Installation, clock: HandClock
) -> None:
    owner, org = await founded(house)
    await report(owner, org, late("early", day(5, 3), 10), late("after", day(5, 9), 4))
    await fold(house)
    assert await periods(house, org) == [("05-01", "06-01", 14)]
    BILLED[org_uuid(org)] = Period(day(5, 8), day(6, 8))
    await use(house, org, 100)
    await fold(house)
    assert await periods(house, org) == [("05-01", "05-08", 10), ("05-08", "06-08", 104)]
    assert await differences(house) == []


async def test_what_lies_behind_a_period_that_is_put_before_it_keeps_one_of_its_own(
    house: Installation, clock: HandClock
) -> None:
    owner, org = await founded(house)
    ahead = START + timedelta(minutes=4)
    await report(owner, org, late("within", START, 10), late("behind", ahead, 4))
    await fold(house)
    BILLED[org_uuid(org)] = Period(day(5, 8), START + timedelta(minutes=2))
    await use(house, org, 100)
    await fold(house)
    assert await periods(house, org) == [("05-01", "05-08", 0), ("05-08", "05-10", 110), ("05-10", "06-01", 4)]
    assert await differences(house) == []


async def test_after_the_last_period_that_is_billed_the_rest_of_its_month_is_one(
    house: Installation, clock: HandClock
) -> None:
    owner, org = await founded(house)
    BILLED[org_uuid(org)] = Period(day(4, 20), day(5, 20))
    await use(house, org, 3)
    await fold(house)
    del BILLED[org_uuid(org)]
    clock.set(day(5, 21))
    await use(house, org, 4)
    await fold(house)
    assert await periods(house, org) == [("04-20", "05-20", 3), ("05-20", "06-01", 4)]
    owner = await again(house, owner)
    assert [one["start"][:10] for one in await sums(owner, org, meter="letters", since="2026-04-01T00:00:00Z")] == [
        "2026-04-20",
        "2026-05-20",
    ]


async def test_what_is_closed_stays_when_who_bills_says_otherwise(house: Installation, clock: HandClock) -> None:
    _, org = await founded(house)
    await use(house, org, 3)
    await fold(house)
    clock.set(day(6, 2))
    await close(house)
    BILLED[org_uuid(org)] = Period(day(5, 20), day(6, 20))
    await use(house, org, 4)
    for _ in range(2):
        await fold(house)
        await use(house, org)
    await fold(house)
    assert await periods(house, org) == [("05-01", "06-01", 3), ("06-01", "06-20", 6)]


async def test_sums_are_what_random_histories_make(house: Installation, clock: HandClock) -> None:
    rolled = random.Random(7)
    people = [await founded(house) for _ in range(3)]
    for turn in range(60):
        owner, org = rolled.choice(people)
        await _something(house, clock, rolled, (await again(house, owner), org), turn)
    await fold(house)
    assert await differences(house) == []
    for owner, org in people:
        person = await again(house, owner)
        for meter in ("letters", "api_calls"):
            everything = await used(person, org, meter, since="2026-01-01T00:00:00Z")
            assert everything == await raw(house, org, meter)


async def _something(
    house: Installation, clock: HandClock, rolled: random.Random, who: tuple[Client, str], turn: int
) -> None:
    (owner, org), now = who, clock.now
    match rolled.choice(("use", "use", "report", "report", "report", "fold", "fold", "close", "later", "bill", "end")):
        case "use":
            await use(house, org, rolled.randint(0, 9))
        case "report":
            ats = [now - timedelta(hours=rolled.uniform(0, 800)) for _ in range(rolled.randint(1, 20))]
            keys = [f"{turn}-{rolled.randint(0, 15)}" for _ in ats]
            await report(owner, org, *(late(key, at, rolled.randint(0, 9)) for key, at in zip(keys, ats, strict=True)))
        case "fold":
            await fold(house, most=rolled.randint(1, 20))
        case "close":
            await close(house)
        case "later":
            clock.advance(hours=rolled.choice((1, 30, 200)))
        case "bill":
            start = now - timedelta(hours=rolled.uniform(0, 600))
            BILLED[org_uuid(org)] = Period(start, start + timedelta(days=30))
        case "end":
            BILLED.pop(org_uuid(org), None)


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("edges", [(0, 0), (0, 30), (30, 0), (30, 30), (31, 59)])
async def test_what_was_used_between_two_moments_counts_once_wherever_in_an_hour_they_lie(
    house: Installation, clock: HandClock, edges: tuple[int, int], *, folded: bool
) -> None:
    _, org = await founded(house)
    first = clock.now.replace(minute=edges[0])
    for minutes in (0, 30, 90, 150):
        clock.set(START + timedelta(minutes=minutes))
        await use(house, org, 10 ** minutes.bit_length())
    if folded:
        await fold(house)
    until = first.replace(hour=15, minute=edges[1])
    async with house_work(house) as work:
        given = {"org_id": org_uuid(org), "meters": ["letters"], "starts": [first], "ends": [until]}
        [counted] = await queries.used_of_each(work, **given)
    within = [minutes for minutes in (0, 30, 90, 150) if first <= START + timedelta(minutes=minutes) < until]
    assert counted == sum(10 ** minutes.bit_length() for minutes in within)


slowly = value(str, "select pg_sleep(0.6)::text")


async def test_a_proof_is_waited_for_longer_than_any_other_answer(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWERED_WITHIN", 0.2)
    house.runtime.database.pool.forget_idle()
    call = Call(house.runtime, Actor("cli"), "a-proof")
    async with exchanges.ProvingWork(call, reason="a test", reading=True) as work:
        await slowly(work)
    with pytest.raises(DatabaseUnavailable):
        async with house_work(house) as other:
            await slowly(other)
    house.runtime.database.pool.forget_idle()


async def test_a_difference_is_found_and_named(house: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    (_, one), (_, other) = await founded(house), await founded(house)
    await use(house, one, 5)
    await use(house, other, 6)
    await fold(house)
    assert await differences(house) == []
    await change(house, "update tenantry.usage_hours set quantity = 50 where org_id = $1", org_uuid(one))
    await change(house, "delete from tenantry.usage_totals where org_id = $1", org_uuid(one))
    await change(
        house,
        """
        insert into tenantry.usage_minutes (org_id, meter, minute, quantity)
        values ($1, 'letters', date_trunc('minute', tenantry.now()) - interval '2 hours', 1)
        """,
        org_uuid(one),
    )
    found = [(one.by, one.kept, one.counted) for one in await differences(house)]
    assert found == [("minute", 1, None), ("hour", 50, 5), ("period", None, 5)]
    call = Call(house.runtime, Actor("cli"), "a-proof")
    verdicts = [await cli.prove(call, org=org) for org in (one, other)]
    assert [(verdict.orgs, verdict.wrong) for verdict in verdicts] == [(1, 3), (1, 0)]
    assert verdicts[0].differences[1].org == one
    [command] = [own for own in house.registry.commands if (own.group, own.name) == ("usage", "prove")]
    assert [command.failed(verdict) for verdict in verdicts] == [True, False]


async def change(house: Installation, statement: str, *arguments: Any) -> None:
    async with house_work(house) as work:
        await work.connection.execute(statement, *arguments)


async def test_what_an_organization_used_is_shown_to_an_operator(house: Installation) -> None:
    _, org = await founded(house)
    await use(house, org, 5)
    await fold(house)
    await use(house, org, 6)
    shown = await cli.show(Call(house.runtime, Actor("cli"), "a-look"), org=org)
    assert [(one.meter, one.quantity) for one in shown.sums] == [("letters", 11)]
    assert (shown.org, shown.period) == (org, Period(day(5, 1), day(6, 1)))


async def test_sums_and_keys_are_let_go_in_time_and_what_is_billed_is_kept(
    house: Installation, clock: HandClock
) -> None:
    owner, org = await founded(house)
    await report(owner, org, late("old", START, 5), late("older", START - timedelta(days=8), 1))
    await fold(house)
    assert await counts(house) == {"minutes": 1, "hours": 2, "totals": 1, "keys": 2}
    clock.advance(days=7, hours=1)
    await let_go(house)
    assert await counts(house) == {"minutes": 0, "hours": 2, "totals": 1, "keys": 2}
    clock.set(START + timedelta(days=35) - timedelta(seconds=1))
    await let_go(house)
    assert (await counts(house))["keys"] == 2
    clock.advance(seconds=1)
    owner = await again(house, owner)
    assert await report(owner, org, late("old", clock.now, 5)) == {"accepted": 1, "duplicates": 0}
    await let_go(house)
    assert (await counts(house))["keys"] == 1
    clock.advance(days=400)
    await let_go(house)
    assert await counts(house) == {"minutes": 0, "hours": 0, "totals": 1, "keys": 0}
    assert await differences(house) == []


async def test_a_key_that_begins_anew_while_old_ones_are_let_go_is_kept(house: Installation, clock: HandClock) -> None:
    _, org = await founded(house)
    async with work_in(house, org) as work:
        work.meter(LETTERS, 1, key="again")
    clock.advance(days=36)
    async with house_work(house) as other:
        # what a use of it does, before its commit
        await other.connection.execute(
            "update tenantry.usage_keys set at = tenantry.now() where at <= tenantry.now() - interval '35 days'"
        )
        pruning = asyncio.create_task(let_go(house))
        async with asyncio.timeout(10):
            while not await house.rows("select from pg_locks where not granted"):
                assert not pruning.done()
    await pruning
    assert (await counts(house))["keys"] == 1


async def let_go(house: Installation) -> None:
    async with house_work(house) as work:
        while await actions.let_usage_go(work, most=1):
            pass


async def counts(house: Installation) -> dict[str, int]:
    return {
        name: len(await house.rows(f"select from tenantry.usage_{name}"))
        for name in ("minutes", "hours", "totals", "keys")
    }


async def test_the_jobs_of_the_house_fold_close_and_let_go(house: Installation, clock: HandClock) -> None:
    owner, org = await founded(house)
    await report(owner, org, late("one", START, 5))
    handlers = {handler.kind: handler for handler in house.registry.handlers}
    clock.set(day(6, 1) + timedelta(hours=2))
    for kind in ("usage.fold_usage", "usage.close_usage_periods", "usage.let_old_usage_go"):
        await house.ask(handlers[kind].asked())
        await house.drain_jobs()
    assert await periods(house, org) == [("05-01", "06-01", 5)]
    rows = await house.rows("select from tenantry.usage_periods where closed_at is not null")
    assert (len(rows), (await counts(house))["minutes"]) == (1, 0)


async def test_the_usage_of_a_purged_organization_is_forgotten_and_holds_nobody_up(house: Installation) -> None:
    (_, one), (owner, other) = await founded(house), await founded(house)
    await use(house, one, 5)
    await fold(house)
    await use(house, one, 5)
    await use(house, other, 6)
    await change(house, "delete from tenantry.orgs where id = $1", org_uuid(one))
    await fold(house)
    assert await used(owner, other) == 6
    for table in ("usage_minutes", "usage_hours", "usage_periods", "usage_totals"):
        rows = await house.rows(f"select distinct org_id from tenantry.{table}")
        assert [ORG_ID.text(row["org_id"]) for row in rows] == [other], table


def test_a_period_of_the_calendar_ends_where_the_next_one_begins() -> None:
    december = Period(datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert (december.holds(december.start), december.holds(december.end)) == (True, False)
    assert UUID(int=0) not in BILLED
