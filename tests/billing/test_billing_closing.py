"""The end of an organization: it is not closed while it pays, and not purged while anything goes on at Stripe."""

from __future__ import annotations

from typing import Any

import pytest
from billing_kit import org_uuid
from selling_kit import Shop

from tenantry.billing import actions, exchanges
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import SystemWork
from tenantry.orgs.models import GRACE
from tenantry.testing import Client, Response, Team
from tenantry.testing.stripe.faults import Fault


async def _close(person: Client, team: Team) -> Response:
    slug = (await person.get(team.path)).json["slug"]
    return await person.post(f"{team.path}/closure", {"slug": slug})


async def _cancelled(person: Client, team: Team) -> None:
    answer = await person.post(f"{team.path}/billing/cancellation", {})
    assert answer.status < 300, answer


async def _ask_for_purges(shop: Shop) -> None:
    """What happens each hour, with all that follows from it."""
    async with SystemWork(shop.call, reason="a test of purging") as work:
        work.enqueue(NewJob("orgs.ask_for_purges"))
    await shop.house.drain_jobs()


async def _there(shop: Shop, team: Team) -> bool:
    return bool(await shop.house.rows("select id from tenantry.orgs where id = $1", org_uuid(team)))


def _living(shop: Shop) -> list[dict[str, Any]]:
    return [one for one in shop.at_stripe("subscription") if one["status"] != "canceled"]


async def test_an_organization_whose_subscription_goes_on_is_not_closed(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    answer = await _close(team.owner, team)
    assert (answer.status, answer.code) == (409, "org_closure_blocked")
    [blocker] = answer.json["blockers"]
    assert blocker["code"] == "subscription"
    assert blocker["message"].startswith("The subscription goes on. Cancel it first")
    assert blocker["id"] == shop.at_stripe("subscription")[0]["id"]


async def test_one_whose_subscription_is_to_end_is_closed(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    await _cancelled(team.owner, team)
    assert (await _close(team.owner, team)).status == 200
    await shop.house.drain_jobs()
    assert len(_living(shop)) == 1, "what is paid for is there until its end, and for whoever opens it again"


async def test_one_whose_subscription_is_over_is_closed(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    await _cancelled(team.owner, team)
    await shop.advance(days=32)
    assert _living(shop) == []
    assert (await _close(await shop.back(team.owner), team)).status == 200


async def test_nobody_pays_any_more_on_the_checkout_of_a_closed_organization(shop: Shop) -> None:
    team = await shop.house.team()
    opened = (await shop.checkout(team.owner, team, "business")).json
    assert (await _close(team.owner, team)).status == 200
    await shop.house.drain_jobs()
    assert [one["status"] for one in shop.at_stripe("checkout.session")] == ["expired"]
    status, _ = await shop.press(opened["url"], card="visa")
    assert status != 303
    assert shop.at_stripe("subscription") == []


@pytest.mark.parametrize("what", ["checkout", "resume"])
async def test_who_waits_for_the_closing_of_an_organization_asks_for_nothing_any_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    team = await shop.house.team()
    if what == "resume":
        await shop.subscribe(team.owner, team, "business")
        await _cancelled(team.owner, team)
    begun = actions.begin_checkout if what == "checkout" else actions.begin_resumption

    async def closed_meanwhile(work: Any, **given: Any) -> Any:
        # the work is open, and its gate passed; its lock comes after the closing
        assert (await _close(team.owner, team)).status == 200
        await shop.house.drain_jobs()
        return await begun(work, **given)

    monkeypatch.setattr(actions, begun.__name__, closed_meanwhile)
    if what == "checkout":
        answer = await shop.checkout(team.admin, team, "business")
    else:
        answer = await team.admin.request("DELETE", f"{team.path}/billing/cancellation")
    await shop.heard()
    assert (answer.status, answer.code) == (403, "org_closed"), answer
    assert [one for one in shop.at_stripe("checkout.session") if one["status"] == "open"] == []
    assert all(one["cancel_at_period_end"] for one in shop.at_stripe("subscription"))


async def test_one_whose_subscription_is_told_to_go_on_is_not_closed_before_stripe_has_answered(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    await _cancelled(team.owner, team)
    shop.stripe.fail(0, times=99, path="/v1/subscriptions/.*")
    assert (await team.admin.request("DELETE", f"{team.path}/billing/cancellation")).status == 503
    answer = await _close(team.owner, team)
    assert (answer.status, answer.code) == (409, "org_closure_blocked")


async def test_a_subscription_that_would_outlive_its_organization_ends_before_that_is_purged(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business", interval="year")
    await _cancelled(team.owner, team)
    assert (await _close(team.owner, team)).status == 200
    await shop.advance(days=GRACE.days, hours=1)
    assert len(_living(shop)) == 1, "a year is paid for"
    await _ask_for_purges(shop)
    assert _living(shop) == []
    assert await _there(shop, team), "it waits until that is known"
    await _ask_for_purges(shop)
    assert not await _there(shop, team)
    assert await shop.house.rows("select id from tenantry.subscriptions") == []
    assert await shop.house.rows("select org_id from tenantry.stripe_customers") == []


async def test_what_was_never_heard_of_ends_as_well(shop: Shop) -> None:
    team = await shop.house.team()
    opened = (await shop.checkout(team.owner, team, "business")).json
    shop.stripe.deliveries.switch("drop")
    await shop.press(opened["url"], card="visa")
    assert (await _close(team.owner, team)).status == 200, "nothing is known of it"
    shop.clock.advance(days=GRACE.days, hours=1)
    await _ask_for_purges(shop)
    await _ask_for_purges(shop)
    assert _living(shop) == []
    assert not await _there(shop, team)


async def test_a_purge_waits_for_stripe_to_answer(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business", interval="year")
    await _cancelled(team.owner, team)
    assert (await _close(team.owner, team)).status == 200
    await shop.advance(days=GRACE.days, hours=1)
    shop.stripe.faults.order(Fault(401, times=1_000))
    for _ in range(3):
        await _ask_for_purges(shop)
    assert await _there(shop, team)
    shop.stripe.faults.clear()
    await shop.house.rows("update tenantry.jobs set run_at = tenantry.now(), due = true where not due returning id")
    await _ask_for_purges(shop)
    await _ask_for_purges(shop)
    assert not await _there(shop, team)
    assert _living(shop) == []


async def test_one_that_was_opened_again_loses_nothing(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business", interval="year")
    await _cancelled(team.owner, team)
    slug = (await team.owner.get(team.path)).json["slug"]
    assert (await _close(team.owner, team)).status == 200
    await shop.advance(days=GRACE.days - 1)
    owner = await shop.back(team.owner)
    assert (await owner.delete(f"{team.path}/closure", body={"slug": slug})).status == 200
    await shop.advance(days=2)
    await _ask_for_purges(shop)
    assert await _there(shop, team)
    assert len(_living(shop)) == 1


async def test_one_that_never_paid_is_purged_without_asking_anybody(shop: Shop) -> None:
    team = await shop.house.team()
    assert (await _close(team.owner, team)).status == 200
    await shop.advance(days=GRACE.days, hours=1)
    await _ask_for_purges(shop)
    assert not await _there(shop, team)


async def test_ending_everything_twice_is_ending_it_once_and_of_an_open_organization_nothing(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business", interval="year")
    org = org_uuid(team)
    await exchanges.end_everything(shop.call, org_id=org)
    assert len(_living(shop)) == 1, "nobody has closed it"
    await _cancelled(team.owner, team)
    assert (await _close(team.owner, team)).status == 200
    await shop.advance(days=GRACE.days, hours=1)
    for _ in range(2):
        await exchanges.end_everything(shop.call, org_id=org)
        await exchanges.close_open_checkout(shop.call, org_id=org)
    assert _living(shop) == []
    ended = await shop.house.rows("select id from tenantry.events where kind = 'billing.subscription_ended'")
    assert len(ended) == 1
    [row] = await shop.house.rows("select ended_at from tenantry.stripe_customers")
    assert row["ended_at"] is not None


async def test_only_the_house_ends_what_others_pay_for(shop: Shop) -> None:
    team = await shop.house.team()
    nobody = Call(shop.house.runtime, NOBODY, "a-call-of-a-test").within(org_uuid(team), "owner")
    for ending in (exchanges.end_everything, exchanges.close_open_checkout):
        with pytest.raises(Forbidden) as refused:
            await ending(nobody, org_id=org_uuid(team))
        assert refused.value.more["permission"] == HOUSE.name
    async with SystemWork(shop.call, reason="a test of keeping") as work:
        await actions.keep_ended(work, org_id=org_uuid(team))
    assert await shop.house.rows("select org_id from tenantry.stripe_customers") == []


async def test_what_begins_while_its_organization_is_closed_runs_out(shop: Shop) -> None:
    team = await shop.house.team()
    opened = (await shop.checkout(team.owner, team, "business")).json
    shop.stripe.deliveries.switch("drop")
    await shop.press(opened["url"], card="visa")
    slug = (await team.owner.get(team.path)).json["slug"]
    assert (await team.owner.post(f"{team.path}/closure", {"slug": slug})).status == 200
    await shop.house.drain_jobs()
    customer = await shop.customer_of(team)
    [subscription] = [one for one in shop.at_stripe("subscription") if one["customer"] == customer]
    assert (subscription["status"], subscription["cancel_at_period_end"]) == ("active", True)


async def test_let_nothing_go_on_leaves_an_open_organization_alone(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    await exchanges.let_nothing_go_on(shop.call, org_id=org_uuid(team))
    [subscription] = shop.at_stripe("subscription")
    assert subscription["cancel_at_period_end"] is False
