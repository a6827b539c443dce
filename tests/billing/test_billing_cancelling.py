"""Cancelling: when what is paid for is over, or at once where something is owed; and going on after all."""

from __future__ import annotations

import json

import aiohttp
import pytest
from billing_kit import org_uuid
from selling_kit import Shop
from stripe_kit import Till

from tenantry.testing import Client, Response, Team


async def cancel(person: Client, team: Team, **why: str) -> Response:
    return await person.post(f"{team.path}/billing/cancellation", why)


async def resume(person: Client, team: Team) -> Response:
    return await person.delete(f"{team.path}/billing/cancellation")


async def _paying(shop: Shop, plan: str = "business", **more: object) -> Team:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, plan, **more)
    return team


async def test_what_is_cancelled_stays_until_the_period_ends(shop: Shop) -> None:
    team = await _paying(shop)
    answer = await cancel(team.owner, team, reason="too_expensive", comment="Ada says it costs too much")
    assert (answer.status, answer.json["status"], answer.json["cancels"]) == (200, "active", True)
    assert answer.json["cancel_at"] == answer.json["period_end"]
    [subscription] = shop.at_stripe("subscription")
    details = subscription["cancellation_details"]
    assert (details["feedback"], details["comment"]) == ("too_expensive", "Ada says it costs too much")
    assert await shop.standing(team) == {"subscription": "business"}
    before = len(shop.at_stripe("invoice"))
    await shop.advance(days=32)
    assert await shop.standing(team) == {}
    assert len(shop.at_stripe("invoice")) == before
    owner = await shop.back(team.owner)
    for ask in (cancel, resume):
        over = await ask(owner, team)
        assert (over.status, over.code) == (409, "not_subscribed")


async def test_the_reason_is_remembered_and_the_comment_is_not(shop: Shop) -> None:
    team = await _paying(shop)
    await cancel(team.owner, team, reason="unused", comment="Ada says it costs too much")
    await shop.heard()
    await shop.house.assert_recorded("billing.cancellation_asked", reason="unused", at_once=False)
    [intent] = await shop.house.rows("select * from tenantry.billing_intents where kind = 'cancel'")
    assert json.loads(intent["params"]).get("comment") is None
    for table in ("events", "audit_log", "billing_intents", "stripe_notices", "jobs", "subscriptions"):
        rows = await shop.house.rows(f"select * from tenantry.{table}")
        assert "costs too much" not in str([tuple(row) for row in rows]), table


async def test_twice_is_as_once(shop: Shop) -> None:
    team = await _paying(shop)
    first = await cancel(team.owner, team)
    told = len(shop.at_stripe("event"))
    again = await cancel(team.admin, team, reason="unused")
    assert (again.status, again.json) == (200, first.json)
    assert len(shop.at_stripe("event")) == told
    resumed = await resume(team.owner, team)
    assert (resumed.status, resumed.json["cancels"], resumed.json["cancel_at"]) == (200, False, None)
    told = len(shop.at_stripe("event"))
    again = await resume(team.admin, team)
    assert (again.status, again.json) == (200, resumed.json)
    assert len(shop.at_stripe("event")) == told
    await shop.advance(days=32)
    assert await shop.standing(team) == {"subscription": "business"}


async def test_an_end_that_was_set_at_stripe_is_taken_back_as_well(shop: Shop) -> None:
    team = await _paying(shop)
    [subscription] = shop.at_stripe("subscription")
    end = subscription["items"]["data"][0]["current_period_end"] - 86_400
    shop.stripe.books.change(subscription, cancel_at=end, canceled_at=end - 100)
    await shop.house.rows(
        "update tenantry.subscriptions set cancel_at = to_timestamp($1) where org_id = $2 returning id",
        float(end),
        org_uuid(team),
    )
    answer = await resume(team.owner, team)
    assert (answer.status, answer.json["cancels"]) == (200, False)
    assert shop.at_stripe("subscription")[0]["cancel_at"] is None


async def test_what_is_cancelled_is_not_changed_before_it_goes_on(shop: Shop) -> None:
    team = await _paying(shop)
    await cancel(team.owner, team)
    answer = await team.owner.patch(f"{team.path}/billing/subscription", {"plan": "growing"})
    assert (answer.status, answer.code) == (409, "subscription_ending")


async def test_a_cancelled_trial_ends_with_it_and_nothing_is_charged(shop: Shop) -> None:
    team = await _paying(shop, "team", seats=4)
    answer = await cancel(team.owner, team)
    assert (answer.json["status"], answer.json["cancel_at"]) == ("trialing", answer.json["trial_end"])
    await shop.advance(days=15)
    assert await shop.standing(team) == {}
    assert [one["total"] for one in shop.at_stripe("invoice")] == [0]


async def test_what_was_planned_is_not_once_it_is_cancelled(shop: Shop) -> None:
    team = await _paying(shop)
    planned = await team.owner.patch(f"{team.path}/billing/subscription", {"plan": "growing"})
    assert planned.json["later"] is not None
    answer = await cancel(team.owner, team)
    assert (answer.status, answer.json["cancels"], answer.json["later"]) == (200, True, None)
    await resume(team.owner, team)
    await shop.advance(days=32)
    assert await shop.standing(team) == {"subscription": "business"}


async def test_whoever_owes_and_cancels_is_charged_no_more(shop: Shop) -> None:
    team = await _paying(shop)
    shop.stripe.decline(await shop.customer_of(team))
    await shop.advance(days=32)
    [subscription] = shop.at_stripe("subscription")
    assert subscription["status"] == "past_due"
    owner = await shop.back(team.owner)
    answer = await cancel(owner, team)
    assert (answer.status, answer.json["status"], answer.json["cancels"]) == (200, "canceled", False)
    assert await shop.standing(team) == {}
    shop.stripe.accept(await shop.customer_of(team))
    paid = sum(one["amount_paid"] for one in shop.at_stripe("invoice"))
    await shop.advance(days=40)
    assert sum(one["amount_paid"] for one in shop.at_stripe("invoice")) == paid
    await shop.house.assert_recorded("billing.cancellation_asked", at_once=True)


@pytest.mark.parametrize(
    "body", [{"reason": "because"}, {"comment": "x" * 501}, {"at": "now"}, {"reason": 7}, {"cancel_at": 1}]
)
async def test_what_is_no_reason_is_refused(shop: Shop, body: dict[str, object]) -> None:
    team = await _paying(shop)
    answer = await team.owner.post(f"{team.path}/billing/cancellation", body)
    assert (answer.status, answer.code) == (422, "invalid")
    assert shop.at_stripe("subscription")[0]["cancel_at_period_end"] is False


async def test_an_organization_that_is_restricted_cancels_all_the_same(shop: Shop) -> None:
    team = await _paying(shop)
    shop.stripe.decline(await shop.customer_of(team))
    await shop.advance(days=32)
    await shop.advance(days=16)
    owner = await shop.back(team.owner)
    refused = await owner.patch(team.path, {"name": "New"}, headers={"if-match": "*"})
    assert refused.status == 402, refused
    answer = await cancel(owner, team)
    assert (answer.status, answer.json["status"]) == (200, "canceled")


async def test_what_was_owed_and_has_been_paid_meanwhile_ends_with_what_is_paid_for(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    customer = await shop.customer_of(team)
    shop.stripe.decline(customer)
    await shop.advance(days=32)
    owner = await shop.back(team.owner)
    # the bank changes its mind, and what Stripe tells of that is late
    shop.stripe.accept(customer)
    shop.stripe.deliveries.switch("drop")
    owed = next(one for one in shop.at_stripe("invoice") if one["status"] == "open")
    async with aiohttp.ClientSession() as http:
        await Till(shop.stripe, shop.running.url, http).ask("POST", f"invoices/{owed['id']}/pay")
    answer = await owner.post(f"{team.path}/billing/cancellation", {})
    assert (answer.status, answer.json["status"], answer.json["cancels"]) == (200, "active", True)
    assert await shop.standing(team) == {"subscription": "business"}
