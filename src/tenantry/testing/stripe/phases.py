"""Phases of a schedule: which items from when to when."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import items, periods, shapes
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.discounts import DISCOUNTS
from tenantry.testing.stripe.subscriptions import PRORATION
from tenantry.testing.stripe.wire import invalid

_NO_DISCOUNT = {"coupon": None, "discount": None, "promotion_code": None}
PHASE = shapes.hash_of(
    ("items",),
    items=shapes.each(shapes.hash_of(**items.ITEM)),
    start_date=shapes.moment,
    end_date=shapes.moment,
    duration=shapes.hash_of(
        ("interval",), interval=shapes.one_of("day", "week", "month", "year"), interval_count=shapes.whole
    ),
    proration_behavior=PRORATION,
    trial_end=shapes.whole,
    trial=shapes.flag,
    metadata=shapes.metadata,
    discounts=DISCOUNTS,
    currency=shapes.text,
    collection_method=shapes.text,
    default_payment_method=shapes.text,
    billing_cycle_anchor=shapes.anything,
    description=shapes.text,
)


def planned(books: Books, given: list[dict[str, Any]], start: int) -> list[Thing]:
    """The phases as asked for, one after the other from an instant on."""
    phases: list[Thing] = []
    for place, one in enumerate(given):
        begins = phases[-1]["end_date"] if phases else _instant(one.get("start_date"), start)
        ends = _end_of(one, begins)
        if ends <= begins or one.get("start_date", begins) not in (begins, "now"):
            raise invalid("Phases follow each other, and each ends after it starts.", f"phases[{place}][end_date]")
        items.sellable(books, one["items"], f"phases[{place}][items]")
        phases.append(phase_of(books, one, begins, ends))
    return phases


def _instant(given: int | str | None, start: int) -> int:
    return given if isinstance(given, int) else start


def _end_of(one: dict[str, Any], begins: int) -> int:
    if one.get("end_date"):
        return int(one["end_date"])
    lasts = one.get("duration") or {"interval": "month", "interval_count": 1}
    return periods.after(begins, lasts.get("interval_count") or 1, lasts["interval"])


def phase_of(books: Books, one: dict[str, Any], start: int, end: int) -> Thing:
    """One phase."""
    unset = ("application_fee_percent", "billing_cycle_anchor", "billing_thresholds", "collection_method",
             "default_payment_method", "description", "invoice_settings", "on_behalf_of", "transfer_data")  # fmt: skip
    return {
        **dict.fromkeys(unset, None),
        "add_invoice_items": [],
        "currency": books.get("price", one["items"][0]["price"])["currency"],
        "default_tax_rates": [],
        "discounts": [{**_NO_DISCOUNT, **discount} for discount in one.get("discounts") or []],
        "end_date": end,
        "items": [_phase_item(item) for item in one["items"]],
        "metadata": one.get("metadata") or {},
        "proration_behavior": one.get("proration_behavior") or "create_prorations",
        "start_date": start,
        "trial_end": one.get("trial_end"),
    }


def _phase_item(given: dict[str, Any]) -> Thing:
    quantity = given.get("quantity")
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": given.get("metadata") or {},
        "plan": given["price"],
        "price": given["price"],
        "quantity": 1 if quantity is None else quantity,
        "tax_rates": [],
    }
