"""Insights as an operator is shown them: weeks of those who came back, and nothing where nothing can be read."""

from __future__ import annotations

import sys
from datetime import date, timedelta

import asyncpg
import pytest
from insights_kit import Market

from commands import run


async def _refused(market: Market, *options: str) -> str:
    done = await run([sys.executable, "-m", "tenantry", "insights", "show", *options], market.house)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr


async def test_those_who_sign_up_in_a_week_are_looked_for_in_the_weeks_after(market: Market) -> None:
    # two on a Monday, of whom one comes back two weeks later
    await market.advance((7 - market.today.weekday()) % 7)
    monday: date = market.today
    await market.join()
    await market.join()
    await market.advance(17)
    await market.back(market.people[0])
    await market.house.drain_consumers()
    shown = await market.show("--from", str(monday), "--to", str(monday + timedelta(days=7)))
    cohorts = [(one["week"], one["size"], one["weeks_later"], one["active"]) for one in shown["retention"]]
    assert cohorts == [(str(monday), 2, 0, 2), (str(monday), 2, 2, 1)]
    # whoever is there on several days is one of those who were there
    [active] = [one for one in (await market.show())["totals"] if one["measure"] == "active_users"]
    assert active["whose"] == 2


async def test_days_are_asked_for_by_their_date(market: Market) -> None:
    assert "--from is a day such as 2026-05-01" in await _refused(market, "--from", "yesterday")
    assert "--to is a day such as 2026-05-01" in await _refused(market, "--to", "2026-13-01")


async def test_a_day_ends_where_the_next_one_begins(market: Market) -> None:
    await market.join()
    await market.house.drain_consumers()
    today, next_day = str(market.today), str(market.today + timedelta(days=1))
    assert [one["times"] for one in (await market.show("--from", today))["totals"] if one["measure"] == "signups"] == [
        1
    ]
    assert not (await market.show("--to", today))["totals"]
    assert not (await market.show("--from", next_day, "--to", next_day))["totals"]


async def test_what_must_be_counted_and_cannot_be_read_holds_insights_there(market: Market) -> None:
    await market.join()
    await market.house.drain_consumers()
    before = await market.kept()
    await market.house.rows("""
        insert into tenantry.events (public_id, kind, version, payload, actor, request_id)
        values (gen_random_uuid(), 'orgs.org_created', 1, '{}', '{"kind": "house"}', 'a-test') returning id
    """)
    with pytest.raises(Exception, match=r"orgs\.org_created cannot be counted"):
        await market.house.drain_consumers()
    assert await market.kept() == before


async def test_an_application_reads_no_insights(market: Market) -> None:
    connection = await asyncpg.connect(market.house.runtime.database.url)
    try:
        for table in ("insight_people", "insight_orgs", "insight_movements", "insight_subscriptions"):
            async with connection.transaction():
                await connection.execute("set local role tenantry_app")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with connection.transaction():
                        await connection.fetch(f"select * from tenantry.{table}")
    finally:
        await connection.close()
