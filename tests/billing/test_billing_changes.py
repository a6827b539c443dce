"""Changes: more is at once and paid for, less comes when the period ends, and going back takes what is planned away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from billing_kit import org_uuid
from selling_kit import Shop

from tenantry.billing.models.changes import Terms, deed_of
from tenantry.testing import Client, Response, Team


def _terms(plan: str = "team", interval: str = "month", amount: int | None = 1200, quantity: int = 3) -> Terms:
    return Terms(plan, 1, interval, "eur", amount, quantity)


YEARLY = _terms(interval="year", amount=12000)
BUSINESS = _terms("business", amount=9900, quantity=1)


@pytest.mark.parametrize(
    ("now", "later", "wanted", "deed"),
    [
        (_terms(), None, _terms(), "none"),
        (_terms(), None, _terms(quantity=4), "change"),
        (_terms(), None, _terms(quantity=2), "later"),
        (_terms(), None, BUSINESS, "change"),
        (BUSINESS, None, _terms(), "later"),
        (_terms(), None, YEARLY, "later"),
        (YEARLY, None, _terms(), "change"),
        (_terms(), None, _terms("other", amount=1200), "change"),
        (_terms(), None, _terms(interval="year", amount=14400), "change"),
        (_terms(), None, _terms("other", amount=None), "change"),
        (_terms(), _terms(quantity=2), _terms(), "stay"),
        (_terms(), _terms(quantity=2), _terms(quantity=2), "none"),
        (_terms(), _terms(quantity=2), _terms(quantity=5), "change"),
        (BUSINESS, _terms(quantity=2), _terms(quantity=3), "later"),
    ],
)
def test_what_costs_less_waits_and_what_costs_more_does_not(now: Terms, later: Any, wanted: Terms, deed: str) -> None:
    assert deed_of(now, later, wanted, in_trial=False) == deed


@pytest.mark.parametrize("wanted", [_terms(quantity=2), _terms(quantity=9), BUSINESS, YEARLY])
def test_in_a_trial_all_is_at_once(wanted: Terms) -> None:
    assert deed_of(_terms(), None, wanted, in_trial=True) == "change"


def test_a_version_that_is_sold_no_more_is_another_thing() -> None:
    newer = Terms("team", 2, "month", "eur", 1200, 3)
    assert deed_of(_terms(), None, newer, in_trial=False) == "change"


# over HTTP, at the local Stripe


async def _paying(shop: Shop, plan: str = "business", **more: Any) -> Team:
    """A team that pays, in the middle of its period."""
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, plan, **more)
    return team


async def _out_of_trial(shop: Shop, seats: int = 5) -> tuple[Team, Client]:
    """A team that pays for seats, its trial over."""
    team = await _paying(shop, "team", seats=seats)
    await shop.advance(days=15)
    owner = await shop.back(team.owner)
    [subscription] = shop.at_stripe("subscription")
    assert subscription["status"] == "active"
    return team, owner


async def change(person: Client, team: Team, **wish: Any) -> Response:
    return await person.patch(f"{team.path}/billing/subscription", wish)


async def preview(person: Client, team: Team, **wish: Any) -> Response:
    return await person.post(f"{team.path}/billing/preview", wish)


def quantity(shop: Shop) -> int:
    [subscription] = shop.at_stripe("subscription")
    return int(subscription["items"]["data"][0]["quantity"])


async def test_more_seats_are_there_at_once_and_their_part_of_the_period_is_paid(shop: Shop) -> None:
    team, owner = await _out_of_trial(shop)
    await shop.advance(days=15)
    owner = await shop.back(owner)
    foreseen = await preview(owner, team, seats=7)
    assert foreseen.status == 200, foreseen
    assert (foreseen.json["when"], foreseen.json["plan"], foreseen.json["seats"]) == ("now", "team", 7)
    assert len(foreseen.json["lines"]) == 2
    assert sum(line["amount"] for line in foreseen.json["lines"]) == foreseen.json["total"]
    assert quantity(shop) == 5
    answer = await owner.request("PUT", f"{team.path}/billing/seats", body={"seats": 7})
    assert (answer.status, answer.json["seats"], answer.json["amount"], answer.json["later"]) == (200, 7, 8400, None)
    assert quantity(shop) == 7
    paid = shop.at_stripe("invoice")[-1]
    assert (paid["status"], paid["total"]) == ("paid", foreseen.json["amount_due"])
    assert 0 < paid["total"] < 2400
    entitled = await owner.get(f"{team.path}/entitlements?explain=1")
    assert {one["feature_key"]: one["value"] for one in entitled.json["items"]}["seats"] == 7
    await shop.house.assert_recorded("billing.subscription_change_asked", how="change", quantity=7)


async def test_fewer_seats_come_when_the_period_ends(shop: Shop) -> None:
    team, owner = await _out_of_trial(shop)
    foreseen = await preview(owner, team, seats=3)
    assert (foreseen.json["when"], foreseen.json["amount_due"]) == ("period_end", 3600)
    answer = await change(owner, team, seats=3)
    assert (answer.status, answer.json["seats"]) == (200, 5)
    later = answer.json["later"]
    assert later == {"plan": "team", "interval": "month", "seats": 3, "at": answer.json["period_end"]}
    assert foreseen.json["at"] == later["at"]
    before = len(shop.at_stripe("invoice"))
    await shop.advance(days=32)
    assert quantity(shop) == 3
    owner = await shop.back(owner)
    after = await change(owner, team, seats=3)
    assert (after.json["seats"], after.json["later"]) == (3, None)
    assert [one["total"] for one in shop.at_stripe("invoice")[before:]] == [3600]
    await shop.house.assert_recorded("billing.subscription_changed", quantity=3)


async def test_a_lesser_plan_comes_when_the_period_ends_and_can_be_taken_back(shop: Shop) -> None:
    team = await _paying(shop)
    answer = await change(team.owner, team, plan="growing")
    assert (answer.status, answer.json["plan"], answer.json["later"]["plan"]) == (200, "business", "growing")
    assert answer.json["later"]["seats"] == 3
    posted = len(shop.at_stripe("event"))
    again = await change(team.owner, team, plan="growing")
    assert again.json == answer.json
    assert len(shop.at_stripe("event")) == posted
    restored = await change(team.admin, team, plan="business")
    assert (restored.status, restored.json["later"]) == (200, None)
    await shop.advance(days=32)
    assert await shop.standing(team) == {"subscription": "business"}


async def test_a_lesser_plan_is_what_one_has_after_the_period(shop: Shop) -> None:
    team = await _paying(shop)
    await change(team.owner, team, plan="growing")
    assert await shop.standing(team) == {"subscription": "business"}
    await shop.advance(days=32)
    assert await shop.standing(team) == {"subscription": "growing"}
    assert quantity(shop) == 3
    # Stripe still has its plan for the period that has begun, and what comes next takes its place
    owner = await shop.back(team.owner)
    answer = await change(owner, team, plan="business")
    assert (answer.status, answer.json["plan"], answer.json["later"]) == (200, "business", None)
    await shop.advance(days=64)
    assert await shop.standing(team) == {"subscription": "business"}


async def test_what_is_planned_gives_way_to_something_else_that_is_planned(shop: Shop) -> None:
    team, owner = await _out_of_trial(shop)
    for seats in (4, 3):
        answer = await change(owner, team, seats=seats)
        assert (answer.status, answer.json["later"]["seats"]) == (200, seats)
    assert len(shop.at_stripe("subscription_schedule")) == 1
    answer = await change(owner, team, seats=6)
    assert (answer.json["seats"], answer.json["later"]) == (6, None)
    await shop.advance(days=32)
    assert quantity(shop) == 6


async def test_another_interval_that_costs_less_comes_when_the_period_ends(shop: Shop) -> None:
    team = await _paying(shop)
    answer = await change(team.owner, team, interval="year")
    assert (answer.status, answer.json["interval"], answer.json["later"]["interval"]) == (200, "month", "year")
    await shop.advance(days=32)
    [subscription] = shop.at_stripe("subscription")
    assert subscription["items"]["data"][0]["price"]["unit_amount"] == 99000
    owner = await shop.back(team.owner)
    back = await change(owner, team, interval="month")
    assert (back.status, back.json["interval"], back.json["later"]) == (200, "month", None)


async def test_in_a_trial_all_is_at_once_and_free(shop: Shop) -> None:
    team = await _paying(shop, "team", seats=5)
    for wish in ({"seats": 3}, {"seats": 9}, {"plan": "business"}):
        foreseen = await preview(team.owner, team, **wish)
        assert (foreseen.json["when"], foreseen.json["amount_due"]) == ("now", 0)
        answer = await change(team.owner, team, **wish)
        assert (answer.status, answer.json["status"], answer.json["later"]) == (200, "trialing", None)
    assert answer.json["plan"] == "business"
    assert await shop.standing(team) == {"trial": "business"}
    assert [one["total"] for one in shop.at_stripe("invoice")] == [0]


async def test_a_declined_card_changes_nothing(shop: Shop) -> None:
    team, owner = await _out_of_trial(shop)
    planned = await change(owner, team, seats=4)
    schedule = shop.at_stripe("subscription")[0]["schedule"]
    assert schedule is not None
    shop.stripe.decline(await shop.customer_of(team))
    answer = await change(owner, team, seats=9)
    assert (answer.status, answer.code) == (402, "card_declined")
    assert quantity(shop) == 5
    assert (shop.at_stripe("subscription")[0]["schedule"], len(shop.at_stripe("subscription_schedule"))) == (
        schedule,
        1,
    )
    seen = await change(owner, team, seats=4)
    assert (seen.json["seats"], seen.json["status"], seen.json["later"]) == (5, "active", planned.json["later"])
    [intent] = await shop.house.rows("select * from tenantry.billing_intents where state = 'refused'")
    assert "declined" in intent["why"]
    shop.stripe.accept(await shop.customer_of(team))
    assert (await change(owner, team, seats=9)).json["seats"] == 9


async def test_whoever_owes_pays_first(shop: Shop) -> None:
    team, _ = await _out_of_trial(shop)
    shop.stripe.decline(await shop.customer_of(team))
    await shop.advance(days=31)
    owner = await shop.back(team.owner)
    for ask in (change, preview):
        answer = await ask(owner, team, seats=9)
        assert (answer.status, answer.code) == (409, "pay_first")
    # who owes keeps what was bought, and no more
    assert quantity(shop) == 5


async def test_without_a_subscription_there_is_nothing_to_change(shop: Shop) -> None:
    team = await shop.house.team()
    for ask in (change, preview):
        answer = await ask(team.owner, team, seats=9)
        assert (answer.status, answer.code) == (409, "not_subscribed")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"),
        ({"plan": "gone"}, "unknown_plan"),
        ({"plan": "free"}, "not_sold"),
        ({"plan": "growing", "interval": "year"}, "not_sold"),
        ({"interval": "week"}, "invalid"),
        ({"seats": -1}, "invalid"),
        ({"seats": 0}, "invalid"),
        ({"seats": 1_000_000_000}, "invalid"),
        ({"seats": 51}, "not_sold"),
        ({"seats": 2}, "not_sold"),
        ({"plan": "business", "seats": 3}, "not_sold"),
        ({"seats": 6, "price": "price_1"}, "invalid"),
        ({"seats": 6, "quantity": 1}, "invalid"),
        ({"plan": "team", "success_url": "https://evil.example.com"}, "invalid"),
    ],
)
async def test_what_is_not_for_sale_is_refused_and_nothing_is_posted(
    shop: Shop, body: dict[str, Any], code: str
) -> None:
    team = await _paying(shop, "team", seats=5)
    posted = len(shop.at_stripe("event"))
    for method, path in (("PATCH", "subscription"), ("POST", "preview")):
        answer = await team.owner.request(method, f"{team.path}/billing/{path}", body=body)
        assert (answer.status, answer.code) == (422, code), answer
    assert len(shop.at_stripe("event")) == posted
    assert not await shop.house.rows("select from tenantry.billing_intents where kind = 'change'")


async def test_two_at_once_are_one_change_and_one_that_waits(shop: Shop) -> None:
    team, owner = await _out_of_trial(shop)
    admin = await shop.back(team.admin)
    answers = await asyncio.gather(*[change(person, team, seats=8) for person in (owner, admin, owner, admin)])
    told = sorted(one.status for one in answers)
    assert set(told) <= {200, 409}, answers
    assert told[0] == 200
    for one in answers:
        if one.status == 409:
            assert (one.code, "retry-after" in one.headers) == ("billing_busy", True)
    assert quantity(shop) == 8
    proration = [one for one in shop.at_stripe("invoice") if one["billing_reason"] == "subscription_update"]
    assert len(proration) == 1


async def test_members_neither_change_nor_preview_nor_cancel(shop: Shop) -> None:
    team = await _paying(shop)
    for method, path, body in (
        ("PATCH", "subscription", {"plan": "team"}),
        ("POST", "preview", {"plan": "team"}),
        ("PUT", "seats", {"seats": 5}),
        ("POST", "cancellation", {}),
        ("DELETE", "cancellation", None),
    ):
        answer = await team.member.request(method, f"{team.path}/billing/{path}", body=body)
        assert answer.status == 403, answer
        assert (await team.stranger.request(method, f"{team.path}/billing/{path}", body=body)).status == 404


async def test_whoever_has_a_price_that_is_sold_no_more_keeps_it_with_more_seats(shop: Shop) -> None:
    team, owner = await _out_of_trial(shop)
    await shop.house.rows(
        "update tenantry.subscriptions set plan_version = '7', unit_amount = 700 where org_id = $1 returning id",
        org_uuid(team),
    )
    before = shop.at_stripe("subscription")[0]["items"]["data"][0]["price"]["id"]
    answer = await change(owner, team, seats=8)
    assert answer.status == 200, answer
    assert shop.at_stripe("subscription")[0]["items"]["data"][0]["price"]["id"] == before


async def test_stripe_has_the_seats_that_were_bought_through_all_of_a_life(shop: Shop) -> None:
    team = await _paying(shop, "team", seats=4)
    assert quantity(shop) == 4
    await shop.advance(days=15)
    owner = await shop.back(team.owner)
    assert quantity(shop) == 4
    assert (await change(owner, team, seats=6)).status == 200
    assert quantity(shop) == 6
    assert (await change(owner, team, seats=5)).status == 200
    assert quantity(shop) == 6
    shop.stripe.decline(await shop.customer_of(team))
    await shop.advance(days=31)
    assert quantity(shop) == 5
    [subscription] = shop.at_stripe("subscription")
    assert subscription["status"] == "past_due"
    [row] = await shop.house.rows("select quantity, later_at from tenantry.subscriptions")
    assert (row["quantity"], row["later_at"]) == (5, None)
    shop.stripe.accept(await shop.customer_of(team))
    await shop.advance(days=10)
    [subscription] = shop.at_stripe("subscription")
    assert (subscription["status"], quantity(shop)) == ("active", 5)


async def test_what_makes_it_cheaper_now_makes_it_cheaper_later(shop: Shop) -> None:
    team, owner = await _out_of_trial(shop)
    assert (await change(owner, team, seats=4)).status == 200
    [schedule] = shop.at_stripe("subscription_schedule")
    discount = {"coupon": None, "discount": "di_of_a_test", "promotion_code": None}
    shop.stripe.books.change(schedule, phases=[{**one, "discounts": [discount]} for one in schedule["phases"]])
    assert (await change(owner, team, seats=3)).status == 200
    assert [one["discounts"] for one in schedule["phases"]] == [[discount], [discount]]
