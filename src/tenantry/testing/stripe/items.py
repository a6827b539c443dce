"""Items of a subscription: a price, how many of it, and the period that is paid for."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import periods, shapes
from tenantry.testing.stripe.books import Books, Thing, merged
from tenantry.testing.stripe.wire import invalid, listing

MOST_ITEMS = 20
ITEM: shapes.Readers = {
    "price": shapes.text,
    "quantity": shapes.quantity,
    "metadata": shapes.metadata,
    "discounts": shapes.anything,
    "tax_rates": shapes.anything,
}


def sellable(books: Books, given: list[dict[str, Any]], inside: str = "items") -> list[Thing]:
    """The prices of new items: active, recurring, of one currency and one rhythm."""
    if not 1 <= len(given) <= MOST_ITEMS:
        raise invalid(f"A subscription has 1 to {MOST_ITEMS} items.", inside)
    prices = [_recurring(books, one, f"{inside}[{place}]") for place, one in enumerate(given)]
    agreeing(prices, inside)
    return prices


def _recurring(books: Books, given: dict[str, Any], inside: str) -> Thing:
    if not given.get("price"):
        raise invalid(f"Missing required param: {inside}[price].", f"{inside}[price]", "parameter_missing")
    price = books.get("price", given["price"], f"{inside}[price]")
    if not price["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.", f"{inside}[price]")
    if price["type"] != "recurring":
        raise invalid("The price specified is set to `type=one_time`; it must recur.", f"{inside}[price]")
    return price


def agreeing(prices: list[Thing], inside: str = "items") -> None:
    """Refuse items that cannot stand on one invoice."""
    if len({one["currency"] for one in prices}) > 1:
        raise invalid("All prices of a subscription must have the same currency.", inside)
    if len({rhythm(one) for one in prices}) > 1:
        raise invalid("The local Stripe bills all items of a subscription in one rhythm.", inside)
    if len({one["id"] for one in prices}) < len(prices):
        raise invalid("Cannot add multiple subscription items with the same price.", inside)


def rhythm(price: Thing) -> tuple[str, int]:
    """How often a price recurs."""
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def added(books: Books, subscription: str, price: Thing, given: dict[str, Any], period: tuple[int, int]) -> Thing:
    """Enter an item."""
    quantity = given.get("quantity")
    return books.put(
        {
            "id": books.new_id("si"),
            "object": "subscription_item",
            "billing_thresholds": None,
            "created": books.now(),
            "current_period_start": period[0],
            "current_period_end": period[1],
            "discounts": [],
            "metadata": merged({}, given.get("metadata") or {}),
            "plan": plan(price),
            "price": price,
            "quantity": 1 if quantity is None else quantity,
            "subscription": subscription,
            "tax_rates": [],
        }
    )


def plan(price: Thing) -> Thing:
    """The older face of a price, which items still show."""
    same = ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname", "product")
    return {
        **{name: price[name] for name in same},
        "object": "plan",
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "meter": None,
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": price["recurring"]["trial_period_days"],
        "usage_type": price["recurring"]["usage_type"],
    }


def listed(subscription: str, data: list[Thing]) -> Thing:
    """The items as a subscription shows them."""
    url = f"/v1/subscription_items?subscription={subscription}"
    return {**listing(url, data), "total_count": len(data)}


def first_period(price: Thing, now: int, anchor: int, trial_end: int | None) -> tuple[int, int]:
    """The period that begins now."""
    if trial_end:
        return now, trial_end
    if anchor > now:
        return now, anchor
    return now, periods.end_of(anchor, now, *rhythm(price))


def moved(books: Books, subscription: Thing, start: int, end: int) -> None:
    """All items begin this period, and the subscription is due again at its end."""
    for item in subscription["items"]["data"]:
        books.change(item, current_period_start=start, current_period_end=end)
    books.plan(end, "renew", subscription)
