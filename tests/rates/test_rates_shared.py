"""Several processes count together: within bounds at every load, exactly in the long run, and alone if they must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from prometheus_client import REGISTRY
from rates_kit import node, passed, passes

from tenantry.foundation.data.clock import Clock
from tenantry.foundation.data.database import Database
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.domain import Registry
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.rates import shared
from tenantry.foundation.security.rates.counted import EVERY, Policy
from tenantry.foundation.security.rates.shared import attend, share
from tenantry.testing import Databases, HandClock, installed


class Hand(Clock):
    """A clock in memory, of the processes and of what they ask of PostgreSQL."""

    def __init__(self) -> None:
        self.shows = datetime.now(UTC).timestamp()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.shows, UTC)

    def seconds(self) -> float:
        return self.shows

    def statement(self) -> str:
        return f"set local tenantry.clock = '{self.now().isoformat()}';"


@pytest.fixture(scope="module")
async def runtime(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Runtime]:
    """A process of an installation whose time is in this process's hand."""
    folder = tmp_path_factory.mktemp("rates")
    environ = {"TENANTRY_RATE_LIMITS": "on"} | HandClock(folder / "clock").environ
    async with (
        databases.fresh() as url,
        installed(url, folder, registry=registry, environ=environ) as house,
    ):
        hand = Hand()
        house.runtime.database.clock = hand
        yield msgspec.structs.replace(house.runtime, clock=hand)


@pytest.fixture
def hand(runtime: Runtime) -> Hand:
    """The clock of all of them."""
    assert isinstance(runtime.clock, Hand)
    return runtime.clock


@pytest.mark.parametrize("load", [0.9, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("nodes", [1, 2, 4])
@pytest.mark.parametrize(("times", "seconds"), [(100, 10), (50, 2)])
async def test_as_many_pass_as_may_on_so_many_processes_at_such_a_load(
    runtime: Runtime, hand: Hand, nodes: int, load: float, times: int, seconds: int
) -> None:
    policy = Policy(f"matrix_{nodes}_{int(load * 10)}_{seconds}", times, timedelta(seconds=seconds))
    processes = [node(runtime) for _ in range(nodes)]
    lasts, begin = 4 * seconds, hand.shows
    shares_at = [begin + EVERY * (place + 1) / nodes for place in range(nodes)]
    asked = round(lasts * times / seconds * load)
    accepted = 0
    for number in range(asked):
        at = begin + lasts * number / asked
        while (soonest := min(shares_at)) <= at:
            hand.shows = soonest
            place = shares_at.index(soonest)
            await share(processes[place])
            shares_at[place] += EVERY
        hand.shows = at
        # not in turn, or each would be asked at the same moments of its round
        accepted += passes(processes[number * 7919 % 10_007 % nodes].rates, policy)
    may = min(asked, times + lasts * times / seconds)
    assert abs(accepted / may - 1) <= 0.05


@pytest.mark.parametrize("nodes", [2, 4])
async def test_what_too_many_were_let_through_at_once_is_waited_for_by_all(
    runtime: Runtime, hand: Hand, nodes: int
) -> None:
    policy = Policy(f"burst_{nodes}", 100, timedelta(seconds=10))
    processes = [node(runtime) for _ in range(nodes)]
    accepted = sum(passed(process.rates, policy, 200) for process in processes)
    # before any of them can hear of the others
    assert accepted == 100 * nodes
    begin = hand.shows
    while hand.shows < begin + 60:
        hand.shows += EVERY
        for process in processes:
            await share(process)
            accepted += passed(process.rates, policy, 5)
    assert abs(accepted / (100 + 60 * 10) - 1) <= 0.05


async def test_who_is_asked_for_little_costs_no_statement(runtime: Runtime) -> None:
    process, policy = node(runtime), Policy("quiet", 600)
    assert passed(process.rates, policy, 5) == 5
    assert await share(process) == 0
    assert passed(process.rates, policy, 1) == 1
    assert await share(process) == 1
    assert await share(process) == 0


async def test_who_is_refused_costs_no_statement_however_often_they_ask(runtime: Runtime) -> None:
    process, policy = node(runtime), Policy("refused", 50, timedelta(hours=1))
    assert passed(process.rates, policy, 60) == 50
    assert await share(process) == 1
    assert passed(process.rates, policy, 500) == 0
    assert await share(process) == 0


async def test_what_a_process_counts_for_itself_is_told_to_nobody(runtime: Runtime) -> None:
    process = node(runtime)
    assert passed(process.rates, Policy("own", 10, shared=False), 20) == 10
    assert await share(process) == 0


async def test_who_spends_much_is_told_of_without_delay(runtime: Runtime) -> None:
    process, policy = node(runtime), Policy("hurried", 100)
    assert passed(process.rates, policy, 4) == 4
    assert not process.rates.hurry.is_set()
    assert passed(process.rates, policy, 1) == 1
    assert process.rates.hurry.is_set()


async def test_processes_hear_of_each_other_by_themselves(runtime: Runtime) -> None:
    one, other = node(runtime), node(runtime)
    policy = Policy("heard", 20, timedelta(hours=1))
    try:
        attend(one)
        attend(other)
        assert passed(one.rates, policy, 99) == 20
        let_in = 0
        async with asyncio.timeout(10):
            while passes(other.rates, policy):
                let_in += 1
                # as requests would come, with time between them
                await asyncio.sleep(shared.AT_LEAST_BETWEEN)
        assert let_in < 20
    finally:
        await one.rates.stop()
        await other.rates.stop()


async def test_who_was_limited_is_so_in_a_process_that_has_just_begun(runtime: Runtime) -> None:
    policy = Policy("deployed", 100, timedelta(hours=1))
    before = node(runtime)
    assert passed(before.rates, policy, 200) == 100
    await share(before)
    after = node(runtime)
    # it knows nothing yet, and tells soon enough
    assert passed(after.rates, policy, 5) == 5
    await share(after)
    assert not passes(after.rates, policy)


async def test_where_the_database_is_away_each_counts_for_itself_and_tells_the_others_later(
    runtime: Runtime, hand: Hand
) -> None:
    policy = Policy("away", 100, timedelta(seconds=10))
    away = msgspec.structs.replace(
        node(runtime), database=Database("postgresql://nobody@127.0.0.1:1/nowhere", clock=hand)
    )
    assert passed(away.rates, policy, 200) == 100
    with pytest.raises(DatabaseUnavailable):
        await share(away)
    hand.shows += 1
    assert passed(away.rates, policy, 20) == 10
    back = msgspec.structs.replace(away, database=runtime.database)
    assert await share(back) == 1
    elsewhere = node(runtime)
    passed(elsewhere.rates, policy, 1)
    passed(elsewhere.rates, policy, 1)
    await share(elsewhere)
    assert not passes(elsewhere.rates, policy)


async def test_an_outage_is_no_debt_of_those_who_asked_during_it(runtime: Runtime, hand: Hand) -> None:
    policy = Policy("outage", 100, timedelta(seconds=10))
    away = msgspec.structs.replace(
        node(runtime), database=Database("postgresql://nobody@127.0.0.1:1/nowhere", clock=hand)
    )
    for _ in range(100):
        hand.shows += 1
        passed(away.rates, policy, 20)
        with pytest.raises(DatabaseUnavailable):
            await share(away)
    await share(msgspec.structs.replace(away, database=runtime.database))
    hand.shows += 10
    assert passes(away.rates, policy)


async def test_that_processes_count_alone_is_said_once_and_measured(
    runtime: Runtime, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(shared.log, "warning", lambda event, **_: said.append(event))
    away = msgspec.structs.replace(
        node(runtime), database=Database("postgresql://nobody@127.0.0.1:1/nowhere", clock=hand)
    )
    before = REGISTRY.get_sample_value("tenantry_rates_shared_total", {"outcome": "failed"}) or 0.0
    failures = 0
    for _ in range(3):
        passed(away.rates, Policy("said", 100), 10)
        failures = await shared._shared(away, failures)
    assert failures == 3
    assert len(said) == 1
    assert REGISTRY.get_sample_value("tenantry_rates_shared_total", {"outcome": "failed"}) == before + 3
    passed(away.rates, Policy("said", 100), 10)
    assert await shared._shared(msgspec.structs.replace(away, database=runtime.database), failures) == 0


async def test_a_clock_that_stands_still_gives_nothing_back_and_breaks_nothing(runtime: Runtime) -> None:
    process, policy = node(runtime), Policy("still", 100)
    for _ in range(20):
        passed(process.rates, policy, 20)
        await share(process)
    assert not passes(process.rates, policy)
