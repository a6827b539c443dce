"""Checkouts: an organization subscribes once, to what the plan file says, however often and by whomever it is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from selling_kit import Shop

from tenantry.billing.settings import BillingSettings
from tenantry.testing import Client, Response, Team


async def _plan(team: Team) -> Any:
    return (await team.owner.get(f"{team.path}/entitlements")).json["plan"]["key"]


async def test_a_paid_checkout_puts_the_organization_on_its_plan(shop: Shop) -> None:
    team = await shop.house.team()
    opened = await shop.checkout(team.owner, team, "business")
    assert opened.status == 201, opened
    assert (opened.json["status"], opened.json["plan"], opened.json["interval"]) == ("open", "business", "month")
    assert opened.json["url"].startswith(shop.running.url)
    status, back = await shop.press(opened.json["url"], card="visa")
    assert status == 303
    assert back == f"{shop.house.origin}/console/orgs/{team.org}/billing?checkout={opened.json['id']}"
    # nothing was heard yet, and whoever looks sees it all the same
    shop.stripe.deliveries.switch("drop")
    seen = await team.admin.get(f"{team.path}/billing/checkout/{opened.json['id']}")
    assert (seen.status, seen.json["status"], seen.json["url"]) == (200, "completed", None)
    assert await _plan(team) == "business"
    assert await shop.standing(team) == {"subscription": "business"}
    await shop.house.assert_recorded("billing.checkout_ended", completed=True)


async def test_a_trial_begins_without_a_card_once_an_organization(shop: Shop) -> None:
    team = await shop.house.team()
    opened = await shop.subscribe(team.owner, team, "team", seats=4)
    assert (opened["trial_days"], opened["seats"]) == (14, 4)
    assert await shop.standing(team) == {"trial": "team"}
    answer = await team.owner.get(f"{team.path}/entitlements?explain=1")
    assert {one["feature_key"]: one["value"] for one in answer.json["items"]}["seats"] == 4
    [subscription] = shop.at_stripe("subscription")
    assert subscription["status"] == "trialing"


async def test_two_tabs_and_two_admins_get_one_checkout_and_one_customer(shop: Shop) -> None:
    team = await shop.house.team()

    async def insist(person: Client) -> Response:
        # eight at once on a busy machine may be told to ask again, and then do
        answer = await shop.checkout(person, team, "business")
        return await insist(person) if answer.status == 503 else answer

    answers = await asyncio.gather(*[insist(person) for person in (team.owner, team.admin) * 4])
    assert {one.status for one in answers} <= {200, 201}, answers
    assert len({one.json["id"] for one in answers}) == 1
    assert len({one.json["url"] for one in answers}) == 1
    assert len(shop.at_stripe("customer")) == len(shop.at_stripe("checkout.session")) == 1
    again = await shop.checkout(team.owner, team, "business")
    assert (again.status, again.json) == (200, answers[0].json)


async def test_something_else_closes_the_checkout_before(shop: Shop) -> None:
    team = await shop.house.team()
    first = await shop.checkout(team.owner, team, "business")
    second = await shop.checkout(team.owner, team, "business", interval="year")
    assert (first.status, second.status) == (201, 201)
    assert [one["status"] for one in shop.at_stripe("checkout.session")] == ["expired", "open"]
    seen = await team.owner.get(f"{team.path}/billing/checkout/{first.json['id']}")
    assert (seen.json["status"], seen.json["url"]) == ("expired", None)
    status, _ = await shop.press(first.json["url"], card="visa")
    assert status != 303


async def test_whoever_has_a_subscription_buys_no_second(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    answer = await shop.checkout(team.admin, team, "team")
    assert (answer.status, answer.code) == (409, "already_subscribed")
    assert len(shop.at_stripe("checkout.session")) == 1


async def test_whoever_has_paid_and_asks_again_before_it_was_heard_of_buys_no_second(shop: Shop) -> None:
    team = await shop.house.team()
    opened = await shop.checkout(team.owner, team, "business")
    shop.stripe.deliveries.switch("drop")
    await shop.press(opened.json["url"], card="visa")
    answer = await shop.checkout(team.owner, team, "business", interval="year")
    assert (answer.status, answer.code) == (409, "already_subscribed")
    assert await _plan(team) == "business"
    assert len(shop.at_stripe("subscription")) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"plan": "gone"}, 422, "unknown_plan"),
        ({"plan": "free"}, 422, "not_sold"),
        ({"plan": "growing", "interval": "year"}, 422, "not_sold"),
        ({"plan": "team", "seats": -1}, 422, "invalid"),
        ({"plan": "team", "seats": 1_000_000_000}, 422, "invalid"),
        ({"plan": "team", "seats": 51}, 422, "not_sold"),
        ({"plan": "team", "seats": 2}, 422, "not_sold"),
        ({"plan": "business", "seats": 3}, 422, "not_sold"),
        ({"plan": "team", "success_url": "https://evil.example.com"}, 422, "invalid"),
        ({"plan": "team", "price": "price_1"}, 422, "invalid"),
    ],
)
async def test_what_is_not_for_sale_is_refused_and_nothing_is_at_stripe(
    shop: Shop, body: dict[str, Any], status: int, code: str
) -> None:
    team = await shop.house.team()
    answer = await team.owner.post(f"{team.path}/billing/checkout", body)
    assert (answer.status, answer.code) == (status, code)
    assert shop.at_stripe("customer") == shop.at_stripe("checkout.session") == []
    assert await shop.house.rows("select from tenantry.billing_intents") == []


async def test_anothers_checkout_is_nobodys(shop: Shop) -> None:
    team, other = await shop.house.team(), await shop.house.team("Other")
    opened = await shop.checkout(team.owner, team, "business")
    assert (await other.owner.get(f"{other.path}/billing/checkout/{opened.json['id']}")).status == 404
    assert (await other.owner.get(f"{team.path}/billing/checkout/{opened.json['id']}")).status == 404
    assert (await team.member.get(f"{team.path}/billing/checkout/{opened.json['id']}")).status == 403
    assert (await shop.checkout(team.member, team, "business")).status == 403


async def test_a_price_that_stripe_has_otherwise_is_not_sold(shop: Shop) -> None:
    team = await shop.house.team()
    [price] = [one for one in shop.at_stripe("price") if one["unit_amount"] == 9900]
    shop.stripe.books.change(price, unit_amount=1)
    answer = await shop.checkout(team.owner, team, "business")
    assert (answer.status, answer.code) == (503, "plan_not_synced")
    assert shop.at_stripe("checkout.session") == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("path", ["customers", "checkout/sessions"])
async def test_an_answer_that_never_comes_is_asked_for_again_and_done_once(shop: Shop, path: str, after: bool) -> None:
    team = await shop.house.team()
    shop.stripe.fail(0, times=2, method="POST", path=f"/v1/{path}", after=after)
    answer = await shop.checkout(team.owner, team, "business")
    assert (answer.status, answer.code) == (503, "stripe_unavailable")
    again = await shop.checkout(team.owner, team, "business")
    assert again.status in {200, 201}
    assert len(shop.at_stripe("customer")) == len(shop.at_stripe("checkout.session")) == 1


async def test_who_needs_more_is_told_on_which_page_it_is_sold(shop: Shop) -> None:
    team = await shop.house.team()
    refused = await team.owner.post(f"{team.path}/invites", {"email": "fourth@example.com", "role": "member"})
    assert (refused.status, refused.code) == (402, "limit_reached")
    assert refused.json["upgrade_url"] == f"{shop.house.origin}/console/orgs/{team.org}/billing"


async def test_who_was_a_customer_in_the_test_mode_becomes_one_when_real_money_moves(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = await shop.house.team()
    await shop.checkout(team.owner, team, "business")
    tried = await shop.customer_of(team)
    monkeypatch.setattr(BillingSettings, "live", property(lambda _: True))
    assert (await team.owner.get(f"{team.path}/billing")).json["customer"] is False
    assert (await shop.checkout(team.owner, team, "business")).status == 201
    assert await shop.customer_of(team) != tried
    # and stays one, whichever key is set by mistake
    bought = await shop.customer_of(team)
    monkeypatch.setattr(BillingSettings, "live", property(lambda _: False))
    assert (await shop.checkout(team.owner, team, "business")).status == 200
    assert await shop.customer_of(team) == bought


async def test_a_page_that_stripe_does_not_know_keeps_nobody_from_another(shop: Shop) -> None:
    team = await shop.house.team()
    assert (await shop.checkout(team.owner, team, "business")).status == 201
    await shop.house.rows(
        "update tenantry.billing_intents set foreign_id = 'cs_other' where kind = 'checkout' returning 1"
    )
    assert (await shop.checkout(team.owner, team, "growing")).status == 201


async def test_a_page_that_stripe_failed_to_close_is_closed_by_the_next_who_asks(shop: Shop) -> None:
    team = await shop.house.team()
    assert (await shop.checkout(team.owner, team, "business")).status == 201
    shop.stripe.fail(500, times=2, method="POST", path="/v1/checkout/sessions/.*/expire")
    assert (await shop.checkout(team.owner, team, "growing")).status == 503
    shop.stripe.faults.clear()
    assert (await shop.checkout(team.owner, team, "growing")).status == 201
