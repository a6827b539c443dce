"""Insights are what the rows say, whatever happened, whoever died, and however often they are made anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec
from insights_kit import Market, insights

from tenantry.admin.actions import rebuild_insights
from tenantry.foundation.events.consumer import Consumer, ConsumerWork, Logged
from tenantry.foundation.events.stepping import step
from tenantry.foundation.work import SystemWork

ALWAYS = ("--from", "2000-01-01", "--to", "2100-01-01")
FOUNDED = "select (created_at at time zone 'UTC')::date::text as day, count(*) as times from tenantry.orgs group by 1"
JOINED = "select (created_at at time zone 'UTC')::date::text as day, count(*) as times from tenantry.users group by 1"
PAID = """
    select currency, count(distinct org_id) as orgs,
           sum(round(unit_amount * quantity * case "interval" when 'year' then 1 else 12 end / 12.0))::bigint as monthly
      from tenantry.subscriptions
     where status in ('active', 'past_due')
       and duplicate_of is null
     group by currency
"""
ACTED = """
    select day::text, count(distinct person) as whose
      from (select (at at time zone 'UTC')::date as day,
                   case when actor::jsonb ->> 'kind' = 'person' then actor::jsonb ->> 'person'
                        when kind in ('accounts.user_joined', 'accounts.session_started', 'accounts.session_used',
                                      'accounts.session_refreshed') then person_id::text end as person
              from tenantry.events
             where org_id is null) as acted
     where person is not null
     group by day
"""


async def _by_day(market: Market, query: str, column: str = "times") -> dict[str, int]:
    return {row["day"]: row[column] for row in await market.house.rows(query)}


def _days(shown: dict[str, Any], measure: str, column: str = "times") -> dict[str, int]:
    return {one["day"]: one[column] for one in shown["days"] if one["measure"] == measure}


def _totals(shown: dict[str, Any]) -> dict[str, int]:
    return {one["measure"]: one["times"] for one in shown["totals"]}


async def _count(market: Market, query: str) -> int:
    [row] = await market.house.rows(query)
    return int(row[0])


async def test_after_any_history_insights_are_what_the_rows_say(market: Market) -> None:
    paid_on: dict[str, dict[str, tuple[int, int]]] = {}
    for _ in range(5):
        await market.live(8)
        # until the day is over, what is paid may still change
        paid_on[market.today.isoformat()] = {
            row["currency"]: (row["monthly"], row["orgs"]) for row in await market.house.rows(PAID) if row["monthly"]
        }
        await market.house.drain_consumers()
        await market.advance(1)
    await market.house.drain_consumers()
    shown = await market.show(*ALWAYS)
    assert _days(shown, "signups") == await _by_day(market, JOINED)
    assert _days(shown, "orgs_founded") == await _by_day(market, FOUNDED)
    assert _days(shown, "active_users", "whose") == await _by_day(market, ACTED, "whose")
    totals = _totals(shown)
    assert totals["members_joined"] - totals.get("members_left", 0) == await _count(
        market, "select count(*) from tenantry.members"
    )
    assert totals["logins"] == await _count(market, "select count(*) from tenantry.sessions")
    assert totals["invites_sent"] >= await _count(market, "select count(*) from tenantry.invites")
    assert totals["trials_started"] == await _count(
        market, "select count(*) from tenantry.subscriptions where trial_end is not null"
    )
    assert any(paid_on.values()), "a history in which nobody pays shows nothing"
    for day, paid in paid_on.items():
        rows = await market.house.rows(
            "select currency, sum(amount)::bigint as monthly from tenantry.insight_movements"
            " where day <= $1::text::date group by currency having sum(amount) <> 0",
            day,
        )
        assert {row["currency"]: row["monthly"] for row in rows} == {name: one for name, (one, _) in paid.items()}, day
    for one in shown["money"]:
        moved = one["new"] + one["expansion"] + one["contraction"] + one["churn"] + one["reactivation"]
        assert one["at_end"] == one["at_start"] + moved
    now = {row["currency"]: (row["monthly"], row["orgs"]) for row in await market.house.rows(PAID)}
    at_end = {one["currency"]: (one["at_end"], one["orgs_at_end"]) for one in shown["money"] if one["at_end"]}
    assert at_end == now


async def test_made_anew_insights_are_the_same(market: Market) -> None:
    await market.live(25)
    await market.house.drain_consumers()
    before = await market.kept()
    assert all(before.values())
    begun = json.loads(await insights(market.house, "rebuild"))
    assert (begun["begun"], [one["state"] for one in begun["read"]]) == (True, ["live", "building"])
    assert begun["read"][1]["ahead"] > 0
    again = json.loads(await insights(market.house, "rebuild"))
    assert not again["begun"], "whoever asks twice is told how far it is"
    await market.house.drain_consumers()
    assert await market.kept() == before
    shown = await market.show(*ALWAYS)
    assert [(one["generation"], one["state"]) for one in shown["read"]] == [(2, "live")]


async def test_killed_at_any_batch_insights_are_the_same(market: Market) -> None:
    await market.live(20)
    await market.house.drain_consumers()
    before = await market.kept()
    await insights(market.house, "rebuild")
    [whole] = [one for one in market.house.registry.consumers if one.name == "admin.fold_insights"]
    small, taken, killed = _dying(market, whole), 1, 0
    while taken and killed < 40:
        await market.house.rows("update tenantry.consumers set next_try_at = null returning 1")
        done = await step(market.house.runtime, small, 2)
        taken, killed = int(done.more or done.how == "failed"), killed + (done.how == "failed")
    assert killed > 3
    await market.house.rows("update tenantry.consumers set next_try_at = null returning 1")
    await market.house.drain_consumers()
    assert await market.kept() == before


def _dying(market: Market, whole: Consumer) -> Consumer:
    async def fold(work: ConsumerWork, happened: Sequence[Logged]) -> None:
        await whole.function(work, happened)
        if market.chance.random() < 0.4:
            raise ConnectionResetError("killed when everything was written")

    return msgspec.structs.replace(whole, function=fold, batch=7)


async def test_a_purged_organization_stays_counted_and_nothing_says_which_it_was(market: Market) -> None:
    await market.join()
    org = await market.found()
    await market.subscribe(org, plan="seats", seats=3)
    other = await market.found()
    await market.subscribe(other, plan="flat")
    await market.house.drain_consumers()
    [money] = (await market.show(*ALWAYS))["money"]
    assert (money["at_end"], money["orgs_at_end"]) == (3 * 1299 + 9900, 2)
    [row] = await market.house.rows("select id from tenantry.orgs order by created_at limit 1")
    await market.purge(org)
    gone = str(row["id"])
    assert gone not in str(await market.kept())
    await market.house.drain_consumers()
    after = await market.kept(whose=False)
    assert gone not in str(await market.kept())
    shown = await market.show(*ALWAYS)
    [money] = shown["money"]
    assert (money["new"], money["churn"], money["at_end"]) == (3 * 1299 + 9900, -3 * 1299, 9900)
    assert _totals(shown)["orgs_founded"] == 2
    await insights(market.house, "rebuild")
    await market.house.drain_consumers()
    assert await market.kept(whose=False) == after, "what is gone from the log is in no generation's way"
    assert gone not in str(await market.kept())


async def test_an_organization_purged_while_insights_are_made_anew_is_counted_once(market: Market) -> None:
    await market.join()
    org = await market.found()
    await market.subscribe(org, plan="flat")
    await market.close(org)
    await market.house.drain_consumers()
    await insights(market.house, "rebuild")
    [whole] = [one for one in market.house.registry.consumers if one.name == "admin.fold_insights"]
    while (await step(market.house.runtime, whole, 2)).more:
        pass
    [row] = await market.house.rows("select id from tenantry.orgs")
    assert await market.house.rows("select from tenantry.insight_orgs where generation = 2")
    await market.ask_for_purges()
    assert not await market.house.rows("select from tenantry.orgs")
    assert str(row["id"]) not in str(await market.kept()), "also before anybody reads that it is purged"
    await market.house.drain_consumers()
    shown = await market.show(*ALWAYS)
    assert _totals(shown)["orgs_founded"] == 1
    [money] = shown["money"]
    assert (money["new"], money["at_end"]) == (9900, 0)


async def test_what_a_rebuild_still_held_of_an_organization_goes_when_it_is_purged(market: Market) -> None:
    await market.join()
    org = await market.found()
    await market.subscribe(org, plan="flat")
    await market.close(org)
    await market.house.drain_consumers()
    [row] = await market.house.rows("select id from tenantry.orgs")
    left = "select from tenantry.insight_orgs where org_id = $1"
    async with SystemWork(market.call, reason="a test of rebuilding") as work:
        assert await rebuild_insights(work)
    [whole] = [one for one in market.house.registry.consumers if one.name == "admin.fold_insights"]
    reading, purged = asyncio.Event(), asyncio.Event()

    async def fold(work: ConsumerWork, happened: Sequence[Logged]) -> None:
        reading.set()
        await purged.wait()
        await whole.function(work, happened)

    slow = asyncio.create_task(step(market.house.runtime, msgspec.structs.replace(whole, function=fold), 2))
    async with asyncio.timeout(10):
        await reading.wait()
    await market.ask_for_purges()
    assert not await market.house.rows("select from tenantry.orgs")
    purged.set()
    assert (await slow).how == "done"
    assert await market.house.rows(left, row["id"]), "it had read what is gone since"
    await market.house.drain_consumers()
    assert not await market.house.rows(left, row["id"])
    assert _totals(await market.show(*ALWAYS))["orgs_founded"] == 1
