"""Standing: what is paid for is there, at the latest when the night's comparison is over."""

from __future__ import annotations

from selling_kit import Shop
from stripe_kit import reconcile


async def test_a_plan_that_a_process_with_another_plan_file_took_away_is_given_back(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    # as a process leaves it in whose plan file there is no such plan
    await shop.house.rows("delete from tenantry.org_plans returning org_id")
    await reconcile(shop.house)
    assert await shop.standing(team) == {"subscription": "business"}
    given = len(await shop.house.recorded("plans.plan_given"))
    await reconcile(shop.house)
    assert len(await shop.house.recorded("plans.plan_given")) == given
