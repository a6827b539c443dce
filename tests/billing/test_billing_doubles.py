"""Doubles: whoever has paid twice has one subscription, and the money of the other back."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from billing_kit import org_uuid
from selling_kit import Shop
from stripe_kit import Till

from tenantry.billing import exchanges
from tenantry.testing import Team


async def _paid_twice(shop: Shop) -> tuple[Team, str]:
    """A team that paid on our page and, at the same moment, on one that was made behind our back."""
    team = await shop.house.team()
    ours = await shop.checkout(team.owner, team, "business")
    customer = await shop.customer_of(team)
    [price] = [one["id"] for one in shop.at_stripe("price") if one["unit_amount"] == 9900]
    async with aiohttp.ClientSession() as http:
        behind = await Till(shop.stripe, shop.running.url, http).ask(
            "POST", "checkout/sessions", mode="subscription", customer=customer,
            success_url="https://a.example.com/", **{"line_items[0][price]": price, "line_items[0][quantity]": 1},
        )  # fmt: skip
    pressed = await asyncio.gather(*[shop.press(url, card="visa") for url in (ours.json["url"], behind["url"])])
    assert [status for status, _ in pressed] == [303, 303]
    return team, customer


def _statuses(shop: Shop) -> list[str]:
    return sorted(one["status"] for one in shop.at_stripe("subscription"))


def _kept_back(shop: Shop) -> int:
    """What was paid, less what was given back."""
    return sum(one["amount"] - one["amount_refunded"] for one in shop.at_stripe("charge"))


async def _heard(shop: Shop) -> None:
    await shop.heard()
    await shop.house.rows(
        "update tenantry.jobs set run_at = tenantry.now(), due = true where kind like 'billing.%' and not due"
        " returning id"
    )
    await shop.heard()


async def test_of_two_that_are_paid_at_once_one_lives_and_the_other_is_given_back(shop: Shop) -> None:
    team, _ = await _paid_twice(shop)
    assert _statuses(shop) == ["active", "active"]
    await _heard(shop)
    assert _statuses(shop) == ["active", "canceled"]
    assert _kept_back(shop) == 9900
    older, newer = sorted(shop.at_stripe("subscription"), key=lambda one: (one["created"], one["id"]))
    assert (older["status"], newer["status"]) == ("active", "canceled")
    assert await shop.standing(team) == {"subscription": "business"}
    rows = await shop.house.rows("select id, status, duplicate_of from tenantry.subscriptions order by status")
    assert [(row["id"], row["status"]) for row in rows] == [(older["id"], "active"), (newer["id"], "canceled")]
    await shop.house.assert_recorded("billing.double_ended", subscription=newer["id"], refunded=9900, currency="eur")
    await shop.house.assert_recorded("billing.payment_reversed", refunded=9900)
    await shop.advance(days=32)
    assert len([one for one in shop.at_stripe("charge") if not one["refunded"]]) == 2
    assert await shop.standing(team) == {"subscription": "business"}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "subscriptions/.*"), ("GET", "invoices"), ("GET", "invoice_payments"), ("POST", "refunds")],
)
async def test_it_is_ended_and_given_back_once_wherever_stripe_was_lost(
    shop: Shop, method: str, path: str, after: bool
) -> None:
    team, _ = await _paid_twice(shop)
    shop.stripe.fail(0, times=4, method=method, path=f"/v1/{path}", after=after)
    for _ in range(4):
        await _heard(shop)
    assert _statuses(shop) == ["active", "canceled"]
    assert _kept_back(shop) == 9900
    assert len(shop.at_stripe("refund")) == 1
    assert await shop.standing(team) == {"subscription": "business"}
    assert len(await shop.house.recorded("billing.double_ended")) == 1


async def test_what_doubles_none_any_more_is_left_alone(shop: Shop) -> None:
    team, _ = await _paid_twice(shop)
    older, newer = sorted(shop.at_stripe("subscription"), key=lambda one: (one["created"], one["id"]))
    assert await exchanges.end_double(shop.call, org_id=org_uuid(team), subscription_id=newer["id"]) is None
    assert await exchanges.end_double(shop.call, org_id=org_uuid(team), subscription_id="sub_of_nobody") is None
    assert _statuses(shop) == ["active", "active"]
    assert older["status"] == "active"


async def test_the_second_stays_where_the_first_has_ended_since(shop: Shop) -> None:
    team, _ = await _paid_twice(shop)
    older, newer = sorted(shop.at_stripe("subscription"), key=lambda one: (one["created"], one["id"]))
    for _ in range(2):
        await shop.stripe.deliveries.settled()
    # the first is over at Stripe before anybody here looks, and what it told of that is not heard
    shop.stripe.deliveries.switch("drop")
    async with aiohttp.ClientSession() as http:
        await Till(shop.stripe, shop.running.url, http).ask("DELETE", f"subscriptions/{older['id']}")
    await shop.house.rows(
        "insert into tenantry.subscriptions (org_id, id, customer_id, status, quantity, cancel_at_period_end,"
        " collection_paused, created_at, duplicate_of, fetched) values ($1, $2, 'cus', 'active', 1, false, false,"
        " tenantry.now(), $3, 1) returning id",
        org_uuid(team), newer["id"], older["id"],
    )  # fmt: skip
    assert await exchanges.end_double(shop.call, org_id=org_uuid(team), subscription_id=newer["id"]) is None
    assert newer["status"] == "active"
    assert shop.at_stripe("refund") == []


async def test_a_subscription_to_something_else_is_left_alone(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    customer = await shop.customer_of(team)
    async with aiohttp.ClientSession() as http:
        desk = Till(shop.stripe, shop.running.url, http)
        product = (await desk.ask("POST", "products", name="Support by hand"))["id"]
        price = await desk.ask(
            "POST", "prices", product=product, unit_amount=50000, currency="eur", **{"recurring[interval]": "month"}
        )
        card = await desk.ask("POST", "payment_methods/pm_card_visa/attach", customer=customer)
        items = {"items[0][price]": price["id"]}
        await desk.ask("POST", "subscriptions", customer=customer, default_payment_method=card["id"], **items)
    await shop.heard()
    mine = [one for one in shop.at_stripe("subscription") if one["customer"] == customer]
    assert [one["status"] for one in mine] == ["active", "active"]
    assert shop.at_stripe("refund") == []
    assert await shop.standing(team) == {"subscription": "business"}
