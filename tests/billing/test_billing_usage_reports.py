"""What is used is reported to the meters at Stripe, by the hour and each hour once, however often it is tried."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from billing_kit import org_uuid
from selling_kit import Shop, open_shop

from tenantry.assemble import DOMAINS
from tenantry.billing import actions, exchanges, stripe
from tenantry.foundation import housekeeping
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.meter import Meter
from tenantry.foundation.work import SystemWork
from tenantry.testing import Databases, Team
from tenantry.testing.stripe.faults import CUT, Fault
from tenantry.usage import actions as usage

TOLD = Meter("api_calls", unit="call", sentence="Calls.", stripe_event="calls_at_stripe")
OWN = Meter("letters", unit="letter", sentence="Letters.")
PATH = "/v1/billing/meter_events"


@pytest.fixture
async def shop(databases: Databases, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop that meters what Stripe is told of, and what it is not."""
    registry = Registry((*DOMAINS, Domain(name="metered", needs=("usage",), meters=(TOLD, OWN))), jobs=housekeeping)
    async with databases.fresh() as url, open_shop(url, tmp_path, registry) as open_:
        yield open_


async def customer(shop: Shop) -> Team:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    return team


async def use(shop: Shop, team: Team, quantity: int, *, meter: Meter = TOLD) -> None:
    call = Call(shop.house.runtime, Actor("job", org=org_uuid(team)), "a-trial")
    async with SystemWork(call, reason="a test") as work:
        work.meter(meter, quantity)
    async with house_work(shop) as work:
        await usage.fold_usage(work)


def house_work(shop: Shop) -> SystemWork:
    return SystemWork(shop.call, reason="a test")


def told(shop: Shop) -> list[int]:
    return [int(event["payload"]["value"]) for event in shop.at_stripe("billing.meter_event")]


async def test_an_hour_that_is_over_is_reported_once_to_the_meter_that_is_named(shop: Shop) -> None:
    team, other = await customer(shop), await shop.house.team()
    began = shop.clock.now
    await use(shop, team, 5)
    await use(shop, team, 7)
    await use(shop, team, 100, meter=OWN)
    await use(shop, other, 1000)
    assert await exchanges.report_usage_to_stripe(shop.call) == 0
    shop.clock.advance(hours=1, minutes=15)
    assert [await exchanges.report_usage_to_stripe(shop.call) for _ in range(2)] == [1, 0]
    [event] = shop.at_stripe("billing.meter_event")
    assert event["event_name"] == "calls_at_stripe"
    assert event["payload"] == {"stripe_customer_id": await shop.customer_of(team), "value": "12"}
    hour = began.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    assert datetime.fromtimestamp(event["timestamp"], UTC) == hour


async def test_what_comes_late_for_a_reported_hour_is_reported_beside_it(shop: Shop) -> None:
    team = await customer(shop)
    began = shop.clock.now
    await use(shop, team, 5)
    shop.clock.advance(hours=2)
    await exchanges.report_usage_to_stripe(shop.call)
    async with house_work(shop) as work:
        await work.connection.execute(
            """
            insert into tenantry.usage_events (org_id, meter, quantity, request_id, at)
            values ($1, 'api_calls', 3, 'late', $2)
            """,
            org_uuid(team),
            began,
        )
    async with house_work(shop) as work:
        await usage.fold_usage(work)
    assert await exchanges.report_usage_to_stripe(shop.call) == 1
    assert told(shop) == [5, 3]


@pytest.mark.parametrize("after", [True, False])
async def test_a_report_whose_answer_nobody_heard_is_said_again_and_counted_once(shop: Shop, *, after: bool) -> None:
    team = await customer(shop)
    await use(shop, team, 5)
    shop.clock.advance(hours=2)
    shop.stripe.faults.order(Fault(CUT, times=9, path=PATH, after=after))
    with pytest.raises(stripe.Unreachable):
        await exchanges.report_usage_to_stripe(shop.call)
    assert told(shop) == ([5] if after else [])
    shop.stripe.faults.clear()
    assert [await exchanges.report_usage_to_stripe(shop.call) for _ in range(2)] == [1, 0]
    assert told(shop) == [5]


async def test_whoever_is_killed_before_marking_what_was_heard_says_the_same_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = await customer(shop)
    await use(shop, team, 5)
    shop.clock.advance(hours=2)

    async def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(actions, "settle_usage_report", killed)
        with pytest.raises(KeyboardInterrupt):
            await exchanges.report_usage_to_stripe(shop.call)
    assert [await exchanges.report_usage_to_stripe(shop.call) for _ in range(2)] == [1, 0]
    assert told(shop) == [5]


async def test_what_stripe_may_have_forgotten_is_not_said_again(shop: Shop) -> None:
    team = await customer(shop)
    await use(shop, team, 5)
    shop.clock.advance(hours=2)
    async with house_work(shop) as work:
        assert len(await actions.begin_usage_reports(work)) == 1
    shop.clock.advance(hours=23)
    assert await exchanges.report_usage_to_stripe(shop.call) == 0
    assert told(shop) == []


async def test_what_was_never_said_is_said_however_long_stripe_is_away(shop: Shop) -> None:
    one, other = await customer(shop), await customer(shop)
    await use(shop, one, 5)
    await use(shop, other, 5)
    shop.clock.advance(hours=2)
    shop.stripe.faults.order(Fault(CUT, times=99, path=PATH))
    for _ in range(3):
        with pytest.raises(stripe.Unreachable):
            await exchanges.report_usage_to_stripe(shop.call)
        shop.clock.advance(hours=9)
    shop.stripe.faults.clear()
    await exchanges.report_usage_to_stripe(shop.call)
    # of the one that was said nobody knows
    assert told(shop) == [5]


async def test_while_stripe_is_away_no_more_is_begun_than_it_is_told_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[actions.begin_usage_reports.__module__], "REPORTED_AT_ONCE", 1)
    for team in (await customer(shop), await customer(shop)):
        await use(shop, team, 5)
    shop.clock.advance(hours=2)
    for _ in range(2):
        async with house_work(shop) as work:
            assert len(await actions.begin_usage_reports(work)) == 1
    assert len(await shop.house.rows("select from tenantry.usage_reports")) == 1


async def test_what_stripe_refuses_is_kept_with_the_reason(shop: Shop) -> None:
    team = await customer(shop)
    await use(shop, team, 5)
    shop.clock.advance(hours=2)
    del shop.stripe.books.kinds["customer"][await shop.customer_of(team)]
    assert [await exchanges.report_usage_to_stripe(shop.call) for _ in range(2)] == [1, 0]
    [row] = await shop.house.rows("select why, heard_at is not null as heard from tenantry.usage_reports")
    assert "resource_missing" in row["why"]
    assert row["heard"]


async def test_the_job_reports_every_half_hour(shop: Shop) -> None:
    team = await customer(shop)
    await use(shop, team, 5)
    shop.clock.advance(hours=2)
    [handler] = [one for one in shop.house.registry.handlers if one.kind == "billing.report_usage"]
    assert handler.schedule is not None
    assert handler.schedule.interval == timedelta(minutes=30)
    await shop.house.ask(handler.asked())
    await shop.house.drain_jobs()
    assert told(shop) == [5]
    async with house_work(shop) as work:
        await actions.settle_usage_report(work, org_id=org_uuid(team), report_id=org_uuid(team))


async def test_what_was_put_off_may_be_said_as_long_as_what_was_begun_then(shop: Shop) -> None:
    team = await customer(shop)
    await use(shop, team, 5)
    shop.clock.advance(hours=1, minutes=15)
    async with house_work(shop) as work:
        reports = await actions.begin_usage_reports(work)
    shop.clock.advance(hours=22)
    async with house_work(shop) as work:
        await actions.put_off_usage_reports(work, reports=reports)
    shop.clock.advance(hours=22)
    assert [await exchanges.report_usage_to_stripe(shop.call), told(shop)] == [1, [5]]
