"""The billing period of usage is the subscription's, where there is one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from selling_kit import Shop

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.work import SystemWork
from tenantry.testing import Team
from tenantry.usage.actions import period_of
from tenantry.usage.models import Period, month_of


async def period(shop: Shop, org: UUID, at: datetime | None = None) -> Period:
    call = Call(shop.house.runtime, Actor("cli"), "a-trial")
    async with SystemWork(call, reason="a test", reading=True) as work:
        return await period_of(work, org, at)


def uuid_of(team: Team) -> UUID:
    found = ORG_ID.read(team.org)
    assert found is not None
    return found


async def test_who_has_a_subscription_is_billed_for_its_period_and_others_by_the_calendar(shop: Shop) -> None:
    team, other = await shop.house.team(), await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    [row] = await shop.house.rows(
        "select period_start, period_end from tenantry.subscriptions where org_id = $1", uuid_of(team)
    )
    paid, now = Period(*row), shop.house.runtime.clock.now()
    assert await period(shop, uuid_of(team)) == paid != month_of(now)
    assert await period(shop, uuid_of(other)) == month_of(now)
    assert await period(shop, uuid_of(team), paid.end) == month_of(paid.end)


async def test_a_period_that_was_begun_is_billed_to_its_end_and_a_second_subscriptions_never(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    before = await period(shop, uuid_of(team))
    await shop.house.rows("update tenantry.subscriptions set status = 'canceled' returning id")
    assert await period(shop, uuid_of(team)) == before
    await shop.house.rows("update tenantry.subscriptions set duplicate_of = 'sub_first' returning id")
    assert await period(shop, uuid_of(team)) == month_of(shop.house.runtime.clock.now())
