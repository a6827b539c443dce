"""Rate limits: exact however many ask at once, forgetful of nothing but refusals, and silent about whom they count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from tenantry.foundation import housekeeping
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.data.database import Database
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.routes import Routes
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.limits import Buckets, Limit, RateLimited, network
from tenantry.foundation.security.turns import TurnWork, forget_returned, spend_turn, take, take_turns
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import SystemWork
from tenantry.settings import BadSettings, read_settings
from tenantry.testing import HandClock, Installation, installed
from tenantry.testing.installation import MASTER_KEYS

HOUR = timedelta(hours=1)
SEVEN = Limit("seven", 7, HOUR)
ROWS = "select key, full_at from tenantry.limits"
WAITING = """
    select from pg_locks
     where not granted and pid in (select pid from pg_stat_activity where datname = current_database())
"""


@pytest.fixture
async def counting(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """An installation that counts, by a clock set by hand."""
    environ = {"TENANTRY_RATE_LIMITS": "on"} | clock.environ
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as running:
        yield running


def _call(runtime: Runtime) -> Call:
    return Call(runtime, NOBODY, "request-of-a-test")


async def _passes(runtime: Runtime, asked: Mapping[Limit, str]) -> bool:
    try:
        await take_turns(_call(runtime), asked)
    except RateLimited:
        return False
    return True


async def _passed(runtime: Runtime, asked: Mapping[Limit, str], times: int) -> int:
    return sum([await _passes(runtime, asked) for _ in range(times)])


async def _refused(runtime: Runtime, asked: Mapping[Limit, str]) -> RateLimited:
    with pytest.raises(RateLimited) as refused:
        await take_turns(_call(runtime), asked)
    return refused.value


async def test_of_forty_at_once_exactly_as_many_pass_as_there_are_turns_however_many_processes_ask(
    counting: Installation, database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> None:
    environ = {"TENANTRY_RATE_LIMITS": "on"} | clock.environ
    async with installed(database_url, tmp_path / "second", registry=registry, environ=environ) as second:
        runtimes = [counting.runtime, second.runtime] * 20
        passed = await asyncio.gather(*(_passes(runtime, {SEVEN: "somebody"}) for runtime in runtimes))
    assert sum(passed) == 7


async def test_all_turns_may_be_taken_at_once_and_each_comes_back_after_its_share(
    counting: Installation, clock: HandClock
) -> None:
    assert await _passed(counting.runtime, {SEVEN: "somebody"}, 9) == 7
    clock.advance(minutes=60 / 7, seconds=1)
    assert await _passed(counting.runtime, {SEVEN: "somebody"}, 3) == 1
    clock.advance(days=2)
    assert await _passed(counting.runtime, {SEVEN: "somebody"}, 9) == 7


async def test_turns_that_do_not_divide_the_time_all_fit_into_it(counting: Installation) -> None:
    # a thirteenth of an hour, rounded to the nearest microsecond, is too long for thirteen of them
    assert await _passed(counting.runtime, {Limit("thirteen", 13, HOUR): "somebody"}, 20) == 13


async def test_waiting_as_long_as_was_told_is_enough_and_not_too_long(counting: Installation, clock: HandClock) -> None:
    await asyncio.gather(*(_passes(counting.runtime, {SEVEN: "somebody"}) for _ in range(20)))
    wait = int((await _refused(counting.runtime, {SEVEN: "somebody"})).headers["retry-after"])
    clock.advance(seconds=wait - 1)
    assert not await _passes(counting.runtime, {SEVEN: "somebody"})
    clock.advance(seconds=1)
    assert await _passes(counting.runtime, {SEVEN: "somebody"})


async def test_who_keeps_asking_waits_no_longer_than_who_does_not(counting: Installation, clock: HandClock) -> None:
    await _passed(counting.runtime, {SEVEN: "somebody"}, 7)
    before = await counting.rows(ROWS)
    assert not any(await asyncio.gather(*(_passes(counting.runtime, {SEVEN: "somebody"}) for _ in range(30))))
    assert await counting.rows(ROWS) == before


async def test_of_several_limits_all_are_taken_or_none(counting: Installation) -> None:
    narrow, wide = Limit("narrow", 3, HOUR), Limit("wide", 10, HOUR)
    both = {narrow: "somebody", wide: "somebody"}
    # at once, so that some are refused by what others are just committing
    assert sum(await asyncio.gather(*(_passes(counting.runtime, both) for _ in range(20)))) == 3
    assert await _passed(counting.runtime, both, 5) == 0
    assert await _passed(counting.runtime, {wide: "somebody"}, 20) == 7


async def test_who_waited_for_the_last_turn_of_one_limit_and_lost_it_takes_none_of_the_others(
    counting: Installation,
) -> None:
    # `a` is asked for first, and must be given back
    free, last = Limit("a", 5, HOUR), Limit("b", 1, HOUR)
    async with SystemWork(_call(counting.runtime), reason="a test") as faster:
        assert await spend_turn(faster, last, "somebody")
        slower = asyncio.create_task(_passes(counting.runtime, {free: "somebody", last: "somebody"}))
        async with asyncio.timeout(10):
            while not await counting.rows(WAITING):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert not await slower
    assert len(await counting.rows(ROWS)) == 1
    assert await _passed(counting.runtime, {free: "somebody"}, 9) == 5


async def test_requests_that_name_the_same_limits_in_another_order_do_not_wait_for_each_other(
    counting: Installation,
) -> None:
    limits = [Limit(f"limit{number}", 1000, HOUR) for number in range(12)]
    forth, back = dict.fromkeys(limits, "somebody"), dict.fromkeys(reversed(limits), "somebody")
    async with asyncio.timeout(20):
        passed = await asyncio.gather(*(_passes(counting.runtime, asked) for asked in [forth, back] * 40))
    assert all(passed)


async def test_a_turn_is_found_by_its_key_even_by_a_plan_from_when_there_were_few(counting: Installation) -> None:
    await _passes(counting.runtime, {SEVEN: "somebody"})
    connection = await asyncpg.connect(counting.runtime.database.url)
    await connection.execute("analyze tenantry.limits")
    await connection.close()
    async with TurnWork(_call(counting.runtime), reason="a test") as work:
        plan = await work.connection.fetch(f"explain {take.sql}", ["a", "b"], [1.0, 1.0], [9.0, 9.0])
    lines = "\n".join(row[0] for row in plan)
    assert "Index Scan using limits_key" in lines
    assert "Seq Scan on limits" not in lines


async def test_everybody_has_turns_of_their_own(counting: Installation) -> None:
    for subject in ("somebody", "somebody else", ""):
        assert await _passed(counting.runtime, {SEVEN: subject}, 8) == 7


async def test_a_spent_limit_says_which_it_is_what_it_allows_and_when_to_come_back(counting: Installation) -> None:
    pair = {Limit("one", 1, timedelta(minutes=1)): "somebody", Limit("two", 1, HOUR): "somebody"}
    await _passes(counting.runtime, pair)
    refused = await _refused(counting.runtime, pair)
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "3600"
    assert sorted(refused.headers["ratelimit-policy"].split(", ")) == ['"one";q=1;w=60', '"two";q=1;w=3600']
    assert sorted(refused.headers["ratelimit"].split(", ")) == ['"one";r=0;t=60', '"two";r=0;t=3600']


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.999, 1.0])
def test_nobody_is_told_to_wait_less_than_a_second(seconds: float) -> None:
    assert RateLimited(spent={SEVEN: seconds}).headers["retry-after"] == "1"


async def test_a_turn_in_a_works_own_commit_is_exact_and_gone_with_it(counting: Installation, clock: HandClock) -> None:
    async def spend(*, fails: bool = False) -> bool:
        with suppress(ZeroDivisionError):
            async with SystemWork(_call(counting.runtime), reason="a test") as work:
                left = await spend_turn(work, SEVEN, "somebody")
                return left if not fails else bool(1 / 0)
        return False

    await spend(fails=True)
    assert await counting.rows(ROWS) == []
    assert sum(await asyncio.gather(*(spend() for _ in range(30)))) == 7
    before = await counting.rows(ROWS)
    assert await spend() is False
    assert await counting.rows(ROWS) == before
    clock.advance(minutes=60 / 7, seconds=1)
    assert [await spend(), await spend()] == [True, False]


def test_an_ipv4_source_counts_whole_an_ipv6_one_by_its_network_and_anything_else_as_itself() -> None:
    assert network("192.0.2.1") != network("192.0.2.2")
    assert network("2001:db8:0:1::1") == network("2001:db8:0:1:ffff::2") == network("2001:DB8:0:1::")
    assert network("2001:db8:0:1::1") != network("2001:db8:0:2::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1")
    assert network("fe80::1%eth0") == network("fe80::2%eth1")
    assert {network(odd) for odd in ("", "unix:", "192.0.2.256")} == {"", "unix:", "192.0.2.256"}


def test_a_row_is_named_by_a_digest_that_only_the_master_key_makes() -> None:
    ours = Buckets(MasterKeys.parse(MASTER_KEYS))
    other = Buckets(MasterKeys.parse(new_master_key("other")))
    names = {ours.name(SEVEN, "ada"), ours.name(SEVEN, "bob"), ours.name(Limit("eight", 7, HOUR), "ada")}
    assert len(names | {other.name(SEVEN, "ada")}) == 4
    assert ours.name(SEVEN, "ada") == Buckets(MasterKeys.parse(MASTER_KEYS)).name(SEVEN, "ada")
    # the same number under another meaning is another row
    assert ours.name(Limit("a", 1, HOUR), "b\0c") != ours.name(Limit("ab", 1, HOUR), "c")
    assert ours.name(SEVEN, "\ud800")


@pytest.mark.parametrize(("name", "times", "per"), [("Upper", 1, HOUR), ('a"b', 1, HOUR), ("a", 0, HOUR)])
def test_a_limit_that_could_not_be_told_or_counted_is_a_mistake(name: str, times: int, per: timedelta) -> None:
    with pytest.raises(ValueError, match="a limit has"):
        Limit(name, times, per)
    with pytest.raises(ValueError, match="a limit has"):
        Limit("a", 2, timedelta(microseconds=1))


def test_a_limit_by_address_is_declared_only_where_an_address_is_given() -> None:
    class Nothing(Wire):
        word: str

    async def handler(call: Call, body: Nothing) -> None:
        """Do nothing."""

    handler.__annotations__ = {"call": Call, "body": Nothing, "return": None}
    for by in ("address", "both"):
        with pytest.raises(TypeError, match="needs a body with an `email`"):
            Routes("trial").post("/trial", requires=ANYONE, limits=(Limit("a", 1, HOUR, by=by),))(handler)  # type: ignore[arg-type]
    Routes("trial").post("/trial", requires=ANYONE, limits=(Limit("a", 1, HOUR),))(handler)


async def test_the_sweep_removes_what_says_nothing_and_leaves_what_counts(
    counting: Installation, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "SWEPT_AT_ONCE", 2)
    for number in range(5):
        await _passes(counting.runtime, {SEVEN: f"old {number}"})
    clock.advance(minutes=30)
    await _passed(counting.runtime, {SEVEN: "new"}, 7)
    async with SystemWork(_call(counting.runtime), reason="a test") as work:
        work.enqueue(NewJob("foundation.sweep_limits"))
    await counting.drain_jobs()
    assert len(await counting.rows(ROWS)) == 1
    assert not await _passes(counting.runtime, {SEVEN: "new"})


async def test_the_sweep_waits_for_nobody_who_is_taking_a_turn(counting: Installation, clock: HandClock) -> None:
    await _passes(counting.runtime, {SEVEN: "somebody"})
    clock.advance(days=1)
    call = _call(counting.runtime)
    async with SystemWork(call, reason="a test") as taking:
        assert await spend_turn(taking, SEVEN, "somebody")
        async with SystemWork(call, reason="a test") as sweeping:
            assert await forget_returned(sweeping, most=100) == 0
    assert await _passed(counting.runtime, {SEVEN: "somebody"}, 9) == 6


async def test_the_sweep_is_on_the_schedule_of_every_installation(registry: Registry) -> None:
    (sweep,) = [handler for handler in registry.handlers if handler.kind == "foundation.sweep_limits"]
    assert sweep.schedule is not None
    assert sweep.schedule.interval == timedelta(minutes=10)


async def test_where_limits_are_off_nothing_is_counted(installation: Installation) -> None:
    assert installation.runtime.settings.rate_limits == "off"
    assert await _passed(installation.runtime, {SEVEN: "somebody"}, 9) == 9
    assert await installation.rows(ROWS) == []


@pytest.mark.parametrize("fewer", ["off", "remote"])
def test_production_refuses_to_start_without_its_limits(fewer: str) -> None:
    with pytest.raises(BadSettings) as bad:
        read_settings((), environ={"TENANTRY_RATE_LIMITS": fewer}, dotenv=None, needed=())
    assert bad.value.faults == ["TENANTRY_RATE_LIMITS may be other than on in development only"]


def test_production_counts_unless_it_is_told_otherwise() -> None:
    for environment in ("production", "development"):
        given = {"TENANTRY_ENVIRONMENT": environment}
        assert read_settings((), environ=given, dotenv=None, needed=()).settings.rate_limits == "on"


async def test_nobody_passes_while_the_database_is_away(counting: Installation, clock: HandClock) -> None:
    away = Database("postgresql://nobody@127.0.0.1:9/nothing", clock=counting.runtime.clock)
    with pytest.raises(DatabaseUnavailable):
        await _passes(msgspec.structs.replace(counting.runtime, database=away), {SEVEN: "somebody"})


async def test_nobody_outside_an_organization_but_the_house_sees_what_was_counted(counting: Installation) -> None:
    assert await _passes(counting.runtime, {SEVEN: "somebody"})
    connection = await asyncpg.connect(counting.runtime.database.url)
    try:
        await connection.execute("set role tenantry_app")
        assert await connection.fetch(ROWS) == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("delete from tenantry.limits")
    finally:
        await connection.close()
