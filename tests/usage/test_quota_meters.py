"""Quotas on meters: what is used of a period is counted in the commit that uses it, and never past a hard limit."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rationed import (
    CALLS,
    PLANS,
    RUNS,
    InJob,
    differing,
    founded,
    give,
    house_work,
    member_work,
    org_call,
    posted,
    quotas,
    rationing,
    registry,
    told,
    uuid_of,
)

from tenantry import Quota, Work, use
from tenantry.foundation.data.clock import Clock
from tenantry.foundation.events.folding import fold
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.work import SystemWork
from tenantry.plans import actions as plans
from tenantry.testing import Client, Databases, HandClock, Installation, installed
from tenantry.usage import actions as usage
from tenantry.usage.actions import quotas as metering
from tenantry.usage.models import Period, month_of
from tenantry.usage.problems import QuotaReached


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation whose free plan allows a hundred runs a period."""
    async with databases.fresh() as url, rationing(url, tmp_path_factory.mktemp("rationed")) as running:
        yield running


@pytest.fixture
async def timed(database_url: str, tmp_path: Path, clock: HandClock) -> AsyncIterator[Installation]:
    """One that follows the clock set by hand."""
    async with rationing(database_url, tmp_path, **clock.environ) as running:
        yield running


async def _use(owner: Client, org: str, what: str = "runs", **asked: Any) -> int:
    return await posted(owner, f"/v1/orgs/{org}/{what}", asked)


async def _metered(house: Installation, org: str, meter: str = "runs") -> int:
    [row] = await house.rows(
        "select coalesce(sum(quantity), 0)::bigint as used from tenantry.usage_events where org_id = $1 and meter = $2",
        uuid_of(org), meter,
    )  # fmt: skip
    return int(row["used"])


async def _used(owner: Client, org: str, limit: str = "runs") -> int:
    return int((await quotas(owner, org))[limit]["used"])


async def test_three_hundred_uses_at_once_use_exactly_what_the_plan_allows(house: Installation) -> None:
    owner, org = await founded(house)
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(_use(owner, org) for _ in range(300)))
    assert (answers.count(204), answers.count(402)) == (100, 200)
    assert (await _metered(house, org), await _used(owner, org)) == (100, 100)
    assert sorted(await told(house, org, "runs")) == [(50, 100), (80, 100), (100, 100)]


async def test_a_refusal_says_how_much_until_when_and_where_to_get_more(house: Installation) -> None:
    owner, org = await founded(house)
    await _use(owner, org, quantity=98)
    refused = await owner.post(f"/v1/orgs/{org}/runs", {"quantity": 3})
    assert (refused.status, refused.json["code"]) == (402, "quota_reached")
    reset = (await quotas(owner, org))["runs"]["reset"]
    told = {key: refused.json[key] for key in ("limit", "allowed", "used", "reset", "plan", "upgrade_url")}
    upgrade = f"https://app.example.com/upgrade?org={org}"
    assert told == {
        "limit": "runs", "allowed": 100, "used": 98, "reset": reset, "plan": "free", "upgrade_url": upgrade
    }  # fmt: skip
    assert datetime.fromisoformat(reset) > datetime.now(UTC)
    assert await _use(owner, org, quantity=2) == 204


async def test_a_request_that_fails_afterwards_gives_back_what_it_used(house: Installation) -> None:
    owner, org = await founded(house)
    assert await _use(owner, org, quantity=60, fails=True) == 409
    assert await _use(owner, org, quantity=100, fails=True, key="a") == 409
    assert (await _metered(house, org), await _used(owner, org), await told(house, org, "runs")) == (0, 0, [])
    assert await _use(owner, org, quantity=100, key="a") == 204


async def test_one_that_forgives_a_refusal_has_used_nothing(house: Installation) -> None:
    owner, org = await founded(house)
    assert await _use(owner, org, quantity=101, forgiven=True) == 204
    assert await _use(owner, org, quantity=101, forgiven=True, key="a") == 204
    # of two quotas the one that has room counts nothing either
    assert await _use(owner, org, "calls", quantity=5, forgiven=True) == 204
    assert (await _metered(house, org), await _metered(house, org, "calls")) == (0, 0)
    used = {limit: one["used"] for limit, one in (await quotas(owner, org)).items()}
    assert used | {"seats": 0} == {
        "seats": 0, "things": 0, "runs": 0, "calls": 0, "calls_a_day": 0, "checks": 0, "webhook_endpoints": 0
    }  # fmt: skip
    assert await _use(owner, org, quantity=100, key="a") == 204


async def test_a_meter_can_have_several_quotas_and_each_of_them_counts(house: Installation) -> None:
    owner, org = await founded(house)
    assert [await _use(owner, org, "calls", quantity=4), await _use(owner, org, "calls")] == [204, 402]
    said = await quotas(owner, org)
    assert [(said[limit]["used"], said[limit]["per"]) for limit in ("calls", "calls_a_day")] == [
        (4, "period"), (4, "day")
    ]  # fmt: skip


async def test_what_is_used_under_one_key_is_counted_once_and_is_not_refused_again(house: Installation) -> None:
    owner, org = await founded(house)
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*(_use(owner, org, quantity=100, key="once") for _ in range(20)))
    assert answers == [204] * 20
    async with await member_work(house, owner, org) as work:
        await use(work, RUNS, quantity=100, key="once")
    assert (await _metered(house, org), await _used(owner, org)) == (100, 100)
    assert await _use(owner, org, key="another") == 402
    other_owner, other = await founded(house)
    assert await _use(other_owner, other, quantity=100, key="once") == 204


async def test_a_key_that_is_used_twice_by_one_work_counts_once(house: Installation) -> None:
    owner, org = await founded(house)
    async with await member_work(house, owner, org) as work:
        for _ in range(2):
            await use(work, RUNS, quantity=60, key="twice")
    assert (await _metered(house, org), await _used(owner, org)) == (60, 60)


async def test_a_soft_quota_is_never_refused_and_says_what_is_over(house: Installation) -> None:
    owner, org = await founded(house)
    assert [await _use(owner, org, "checks", quantity=9), await _use(owner, org, "checks", quantity=4)] == [204, 204]
    said = (await quotas(owner, org))["checks"]
    told_of = {key: said[key] for key in ("used", "allowed", "remaining", "overage", "hard")}
    assert told_of == {"used": 13, "allowed": 10, "remaining": 0, "overage": 3, "hard": False}
    assert await told(house, org, "checks") == [(50, 10), (80, 10), (100, 10)]


async def test_a_plan_makes_a_quota_soft(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "soft")
    assert await _use(owner, org, quantity=25) == 204
    said = await quotas(owner, org)
    assert (said["runs"]["hard"], said["runs"]["overage"], said["things"]["hard"]) == (False, 15, True)
    await give(house, org, "twice")
    assert (await quotas(owner, org))["runs"]["overage"] == 0


async def test_a_plan_that_allows_nothing_refuses_the_first(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "none")
    assert [await _use(owner, org), await _use(owner, org, "calls")] == [402, 402]
    assert await told(house, org, "runs") == []


async def test_shares_are_told_once_by_whoever_reaches_them(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "soft")
    async with asyncio.timeout(30):
        assert await asyncio.gather(*(_use(owner, org) for _ in range(40))) == [204] * 40
    assert sorted(await told(house, org, "runs")) == [(50, 10), (80, 10), (100, 10)]
    audited = (await owner.get(f"/v1/orgs/{org}/audit-log?action=usage:quota:crossed")).json["items"]
    assert sorted(one["after"]["share"] for one in audited) == [50, 80, 100]


async def test_another_limit_has_shares_of_its_own(house: Installation) -> None:
    owner, org = await founded(house)
    await _use(owner, org, quantity=85)
    await give(house, org, "twice")
    await _use(owner, org, quantity=20)
    assert await told(house, org, "runs") == [(50, 100), (80, 100), (50, 200)]
    await give(house, org, "soft")
    await _use(owner, org)
    assert [share for share in await told(house, org, "runs") if share[1] == 10] == [(50, 10), (80, 10), (100, 10)]


async def test_jobs_use_what_their_organization_has(house: Installation) -> None:
    owner, org = await founded(house)
    await _use(owner, org, quantity=98)
    for how in ("org_work", "work", "org_step"):
        async with SystemWork(org_call(house.runtime, uuid_of(org)), reason="a test") as work:
            work.enqueue(NewJob.of("rationed.do", InJob("runs", how), max_attempts=1))
        await house.drain_jobs()
    assert (await _used(owner, org), await _metered(house, org)) == (100, 100)


async def test_what_is_used_counts_for_its_own_organization(house: Installation) -> None:
    owner, org = await founded(house)
    other_owner, other = await founded(house)
    assert await _use(owner, org, quantity=100) == 204
    assert await _use(other_owner, other, quantity=100) == 204
    for path in ("runs", "quotas"):
        answer = await (other_owner.get if path == "quotas" else other_owner.post)(f"/v1/orgs/{org}/{path}")
        assert answer.status in {400, 404}
    async with await member_work(house, other_owner, other) as work:
        rows = await work.connection.fetch("select distinct org_id from tenantry.usage_counters")
        crossed = await work.connection.fetch("select distinct org_id from tenantry.quota_crossings")
    assert [row["org_id"] for row in (*rows, *crossed)] == [uuid_of(other)] * 2


async def test_a_meter_with_a_quota_is_used_by_what_counts(house: Installation) -> None:
    owner, org = await founded(house)
    with pytest.raises(TypeError, match="has a quota"):
        async with await member_work(house, owner, org) as work:
            work.meter(RUNS)


# periods


async def test_a_new_period_and_a_new_day_begin_with_nothing_used(timed: Installation, clock: HandClock) -> None:
    clock.set(datetime(2027, 4, 29, 12, tzinfo=UTC))
    owner, org = await founded(timed)
    assert [await _use(owner, org, "calls", quantity=4), await _use(owner, org, "calls")] == [204, 402]
    clock.set(datetime(2027, 4, 30, 0, 0, 1, tzinfo=UTC))
    owner = await _refreshed(owner)
    assert [await _use(owner, org, "calls", quantity=4), await _use(owner, org, "calls")] == [204, 402]
    said = await quotas(owner, org)
    assert [(said[one]["used"], said[one]["reset"]) for one in ("calls", "calls_a_day")] == [
        (8, "2027-05-01T00:00:00Z"), (4, "2027-05-01T00:00:00Z")
    ]  # fmt: skip
    clock.set(datetime(2027, 5, 1, tzinfo=UTC))
    owner = await _refreshed(owner)
    assert (await _used(owner, org, "calls"), await _used(owner, org, "calls_a_day")) == (0, 0)
    assert await _use(owner, org, "calls", quantity=4) == 204
    assert [share for share in await told(timed, org, "calls") if share[0] == 50] == [(50, 10)]
    assert not await differing(timed, "calls", "calls")
    assert not await differing(timed, "calls_a_day", "calls")


async def _refreshed(owner: Client) -> Client:
    answer = await owner.post("/v1/auth/refresh", {"refresh_token": owner.tokens["refresh_token"]})
    return owner.signed_in(answer.json)


class _Ahead(Clock):
    """A clock that is a month ahead of the database's."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=32)


async def test_the_moment_of_the_transaction_decides_which_period_it_counts_for(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, org = await founded(house)
    ahead = month_of(_Ahead().now())
    await house.rows(
        "insert into tenantry.usage_counters (org_id, limit_key, period_start, period_end, used) "
        "values ($1, 'runs', $2, $3, 0) returning used",
        uuid_of(org), ahead.start, ahead.end,
    )  # fmt: skip
    async with await member_work(house, owner, org) as work:
        monkeypatch.setattr(work.runtime.clock, "now", _Ahead().now)
        await use(work, RUNS, quantity=7)
        monkeypatch.undo()
    assert await _used(owner, org) == 7
    assert not await differing(house, "runs", "runs")


# plans that change


async def test_what_was_used_without_a_limit_counts_once_there_is_one(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "endless")
    assert await _use(owner, org, quantity=95) == 204
    said = (await quotas(owner, org))["runs"]
    assert (said["used"], said["allowed"], said["remaining"]) == (95, None, None)
    assert not await house.rows("select from tenantry.usage_counters where org_id = $1", uuid_of(org))
    await give(house, org, "twice")
    assert [await _use(owner, org, quantity=100), await _use(owner, org, quantity=6)] == [204, 402]
    # and without a limit again, and with one
    await give(house, org, "endless")
    assert await _use(owner, org, quantity=500) == 204
    await give(house, org, "twice")
    assert await _use(owner, org) == 402
    assert (await _used(owner, org), await _metered(house, org)) == (695, 695)


@pytest.mark.parametrize("folded", [True, False])
async def test_what_is_in_the_sums_already_counts_once_as_well(house: Installation, folded: bool) -> None:
    owner, org = await founded(house)
    await give(house, org, "endless")
    assert await _use(owner, org, quantity=42) == 204
    if folded:
        async with house_work(house) as work:
            await usage.fold_usage(work)
        assert await house.rows("select from tenantry.usage_hours where org_id = $1", uuid_of(org))
    assert await _use(owner, org, quantity=11) == 204
    assert await _used(owner, org) == 53
    await give(house, org, "free")
    assert [await _use(owner, org, quantity=47), await _use(owner, org)] == [204, 402]


async def test_who_begins_to_count_waits_for_those_who_use_without_a_limit(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "endless")
    async with await member_work(house, owner, org) as free:
        await use(free, RUNS, quantity=90)
        await give(house, org, "free")
        first = asyncio.create_task(_use(owner, org, quantity=20))
        async with asyncio.timeout(10):
            while not await house.rows("select from pg_locks where locktype = 'advisory' and not granted"):
                assert not first.done(), await first
    assert await first == 402
    assert await _use(owner, org, quantity=10) == 204
    assert not await differing(house, "runs", "runs")


async def test_who_was_free_when_a_limit_came_is_counted_by_it(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, org = await founded(house)
    await give(house, org, "endless")
    hold = metering.hold_free

    async def while_a_limit_comes(work: Work, org_id: UUID, free: Sequence[Quota]) -> None:
        monkeypatch.undo()
        await give(house, org, "free")
        assert await _use(owner, org, quantity=60) == 204
        await hold(work, org_id, free)

    monkeypatch.setattr(metering, "hold_free", while_a_limit_comes)
    assert await _use(owner, org, quantity=60) == 402
    assert await _used(owner, org) == 60


async def test_what_is_used_under_a_plan_file_without_the_limit_counts_once_it_is_back(
    house: Installation, tmp_path: Path
) -> None:
    owner, org = await founded(house)
    assert await _use(owner, org, quantity=60) == 204
    without = PLANS.replace('runs = "Runs a period"', "").replace('soft = ["runs", "things"]', "")
    (tmp_path / "plans.toml").write_text(re.sub(r"runs = \d+, ", "", without))
    environ = {"TENANTRY_PLAN_FILE": str(tmp_path / "plans.toml")}
    async with (
        installed(house.runtime.database.url, tmp_path, registry=registry(), environ=environ) as other,
        SystemWork(org_call(other.runtime, uuid_of(org)), reason="a test") as work,
    ):
        await use(work, RUNS, quantity=30)
    assert await _used(owner, org) == 90
    assert [await _use(owner, org, quantity=11), await _use(owner, org, quantity=10)] == [402, 204]
    assert not await differing(house, "runs", "runs")


async def test_a_change_of_plan_moves_features_limits_and_quotas_in_one_commit(house: Installation) -> None:
    owner, org = await founded(house)
    await _use(owner, org, quantity=100)

    async def seen() -> dict[str, Any]:
        entitled = (await owner.get(f"/v1/orgs/{org}/entitlements")).json
        values = {one["feature_key"]: one["value"] for one in entitled["items"]}
        return {"plan": entitled["plan"]["key"], "sso": values["sso"], "seats": values["seats"]} | {
            limit: (one["used"], one["allowed"], one["reason"]["plan"])
            for limit, one in (await quotas(owner, org)).items()
            if limit in {"runs", "calls_a_day", "things"}
        }

    before = {"plan": "free", "sso": False, "seats": 4, "runs": (100, 100, "free"), "calls_a_day": (0, 4, "free"),
              "things": (0, 100, "free")}  # fmt: skip
    after = {"plan": "twice", "sso": True, "seats": 8, "runs": (100, 200, "twice"), "calls_a_day": (0, 8, "twice"),
             "things": (0, 200, "twice")}  # fmt: skip
    async with house_work(house) as work:
        await plans.give_plan(work, org_id=uuid_of(org), plan="twice", source="subscription")
        assert await seen() == before
        assert await _use(owner, org) == 402
    assert await seen() == after
    assert await _use(owner, org) == 204


async def test_what_a_work_used_before_there_was_a_limit_counts_as_well(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "endless")
    async with await member_work(house, owner, org) as work:
        await use(work, RUNS, quantity=90)
        await give(house, org, "free")
        await use(work, RUNS, quantity=5)
    assert await _used(owner, org) == 95
    assert not await differing(house, "runs", "runs")


async def _billed_from(monkeypatch: pytest.MonkeyPatch, period: Period | None) -> None:
    async def billed(work: Work, org_id: UUID, at: datetime | None = None) -> Period:
        moment = at or work.runtime.clock.now()
        return period if period is not None and period.holds(moment) else month_of(moment)

    for module in ("quotas", "balances", "crossings"):
        monkeypatch.setattr(sys.modules[f"tenantry.usage.actions.{module}"], "period_of", billed)


async def test_a_period_that_comes_and_goes_within_a_month_leaves_no_counter_behind(
    timed: Installation, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = clock.now.replace(day=10, hour=10, minute=30, second=0, microsecond=0)
    clock.set(began)
    owner, org = await founded(timed)
    assert await _use(owner, org, quantity=50) == 204
    await _billed_from(monkeypatch, Period(began, began + timedelta(minutes=3)))
    clock.advance(minutes=1)
    assert await _use(owner, org, quantity=45) == 204
    assert await _used(owner, org) == 95
    # and the month again
    clock.advance(minutes=3)
    assert await _used(owner, org) == 95
    assert [await _use(owner, org, quantity=6), await _use(owner, org, quantity=5)] == [402, 204]
    assert not await differing(timed, "runs", "runs")


async def test_who_begins_to_count_another_period_waits_for_those_who_use_in_the_one_before(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, org = await founded(house)
    began = datetime.now(UTC) - timedelta(minutes=1)
    assert await _use(owner, org, quantity=10) == 204
    async with await member_work(house, owner, org) as slow:
        await use(slow, RUNS, quantity=50)
        await _billed_from(monkeypatch, Period(began, began + timedelta(days=30)))
        first = asyncio.create_task(_use(owner, org, quantity=50))
        async with asyncio.timeout(10):
            while not await house.rows("select from pg_locks where not granted"):
                assert not first.done(), await first
    assert await first == 402
    assert await _used(owner, org) == 60


# what comes from outside


async def test_what_only_comes_from_outside_reaches_shares_of_a_limit_too(house: Installation) -> None:
    owner, org = await founded(house)
    for key, quantity in (("one", 40), ("two", 20), ("three", 25)):
        events = [{"meter": "runs", "quantity": quantity, "key": key}]
        assert (await owner.post(f"/v1/orgs/{org}/usage", {"events": events})).status == 200
    assert await told(house, org, "runs") == [(50, 100), (80, 100)]
    assert await _used(owner, org) == 85
    assert not await differing(house, "runs", "runs")


async def test_a_report_tells_what_is_reached_in_the_period_that_it_is_only(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, org = await founded(house)
    assert await _use(owner, org, quantity=49) == 204
    began = datetime.now(UTC)
    await _billed_from(monkeypatch, Period(began, began + timedelta(days=30)))
    assert await _use(owner, org) == 204
    for key in ("one", "two"):
        events = [{"meter": "runs", "quantity": 30, "key": key}]
        assert (await owner.post(f"/v1/orgs/{org}/usage", {"events": events})).status == 200
    assert await told(house, org, "runs") == [(50, 100)]


async def test_what_is_reported_from_outside_counts_and_is_never_refused(house: Installation) -> None:
    owner, org = await founded(house)
    await _use(owner, org, quantity=40)
    now = datetime.now(UTC)
    events = [
        {"meter": "runs", "quantity": 45, "key": "one"},
        {"meter": "runs", "quantity": 45, "key": "one"},
        {"meter": "runs", "quantity": 30, "key": "two"},
        {"meter": "calls", "quantity": 3, "key": "three"},
        {"meter": "runs", "quantity": 1000, "key": "late", "at": (now - timedelta(days=33)).isoformat()},
    ]
    for duplicates in (1, 5):
        answer = await owner.post(f"/v1/orgs/{org}/usage", {"events": events})
        assert (answer.status, answer.json["duplicates"]) == (200, duplicates)
    assert await _used(owner, org) == 115
    assert await told(house, org, "runs") == [(50, 100), (80, 100), (100, 100)]
    assert await _use(owner, org) == 402
    assert [await _use(owner, org, "calls"), await _use(owner, org, "calls")] == [204, 402]
    assert not await differing(house, "runs", "runs")
    assert not await differing(house, "calls", "calls")


async def test_uses_and_reports_at_once_leave_counters_and_rows_equal(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "soft")

    async def report(number: int) -> int:
        events = [{"meter": "runs", "quantity": 2, "key": f"r{number}-{one}"} for one in range(5)]
        events += [{"meter": CALLS.key, "quantity": 1, "key": f"k{number}"}]
        return await posted(owner, f"/v1/orgs/{org}/usage", {"events": events})

    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(report(number % 15) for number in range(30)),
            *(_use(owner, org, key=f"r{number}-0" if number % 2 else None) for number in range(30)),
        )
    assert set(answers) <= {200, 204}, answers
    assert await _used(owner, org) == await _metered(house, org)
    assert not await differing(house, "runs", "runs")


async def test_a_counter_ends_where_every_sum_does_and_goes_on_being_answered(timed: Installation) -> None:
    owner, org = await founded(timed)
    await give(timed, org, "soft")
    assert await _use(owner, org) == 204
    await timed.rows("update tenantry.usage_counters set used = 9007199254740990 returning used")
    for key in ("one", "two"):
        events = [{"meter": "runs", "quantity": 10**12, "key": key}]
        assert (await owner.post(f"/v1/orgs/{org}/usage", {"events": events})).status == 200
    assert await _use(owner, org, quantity=10**12) == 204
    assert await _used(owner, org) == 2**53 - 1


@pytest.mark.parametrize("quantity", [-5, 10**12 + 1])
async def test_what_no_event_of_usage_holds_is_counted_by_no_quota(house: Installation, quantity: int) -> None:
    owner, org = await founded(house)
    await give(house, org, "soft")
    async with await member_work(house, owner, org) as work:
        await use(work, RUNS, quantity=7)
        with pytest.raises(ValueError, match="counted from 0"):
            await use(work, RUNS, quantity=quantity)
    assert await _used(owner, org) == 7
    assert not await differing(house, "runs", "runs")


# its history


async def test_what_was_crossed_comes_back_from_the_events(house: Installation) -> None:
    owner, org = await founded(house)
    await _use(owner, org, quantity=85)
    [now] = await house.rows("select clock_timestamp() as now")
    await _use(owner, org, quantity=15)
    async with house_work(house) as work:
        folded = await fold(work, house.registry.folds, org_id=uuid_of(org), at=now["now"])
        later = await fold(work, house.registry.folds, org_id=uuid_of(org), at=now["now"] + timedelta(minutes=5))
    rows = await house.rows(
        "select limit_key, period_start, allowed, share, used, crossed_at from tenantry.quota_crossings "
        "where org_id = $1 order by share",
        uuid_of(org),
    )
    assert [tuple(getattr(one, name) for name in one.__struct_fields__) for one in later["quota_crossings"]] == [
        tuple(row) for row in rows
    ]
    assert [one.share for one in folded["quota_crossings"]] == [50, 80]  # type: ignore[attr-defined]


async def test_tell_crossings_says_what_was_said_once_only(house: Installation) -> None:
    owner, org = await founded(house)
    since = month_of(datetime.now(UTC)).start
    for shares in ([50], [50, 80]):
        async with await member_work(house, owner, org) as work:
            await usage.tell_crossings(
                work, uuid_of(org), limit="runs", shares=shares, since=since, used=80, allowed=100
            )
    assert await told(house, org, "runs") == [(50, 100), (80, 100)]


async def test_an_organization_that_is_purged_leaves_no_counter(house: Installation) -> None:
    owner, org = await founded(house)
    await _use(owner, org, quantity=85)
    await house.rows("delete from tenantry.orgs where id = $1 returning id", uuid_of(org))
    for table in ("usage_counters", "quota_crossings"):
        assert not await house.rows(f"select from tenantry.{table} where org_id = $1", uuid_of(org))


async def test_quota_reached_is_a_refusal_of_the_plan(house: Installation) -> None:
    owner, org = await founded(house)
    with pytest.raises(QuotaReached):
        async with await member_work(house, owner, org) as work:
            await use(work, RUNS, quantity=101)
    document = (await house.client.get("/openapi.json")).json
    assert "402" in document["paths"]["/v1/orgs/{org}/runs"]["post"]["responses"]
