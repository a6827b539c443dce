"""Lines of an invoice, its discounts and its sums."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tenantry.testing.stripe.books import Books, Thing


def cost(price: Thing, quantity: int | None) -> int:
    """What so many cost for one period."""
    return int(price["unit_amount"]) * (1 if quantity is None else quantity)


def line(
    books: Books,
    item: Thing,
    *,
    amount: int,
    start: int,
    end: int,
    description: str,
    pending: Thing | None = None,
) -> Thing:
    """A line for an item of a subscription; `pending` is the invoice item that it bills."""
    return {
        "id": books.new_id("il", 24),
        "object": "line_item",
        "amount": amount,
        "currency": item["price"]["currency"],
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": books.livemode,
        "metadata": dict(item["metadata"]),
        "parent": _parent(item, pending),
        "period": {"start": start, "end": end},
        "pretax_credit_amounts": [],
        "pricing": pricing(item["price"]),
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
        "subscription": item["subscription"],
        "subtotal": amount,
        "taxes": [],
    }


def _parent(item: Thing, pending: Thing | None) -> Thing:
    kind = "invoice_item_details" if pending else "subscription_item_details"
    details = {
        "invoice_item": pending["id"] if pending else None,
        "proration": bool(pending and pending["proration"]),
        "proration_details": {"credited_items": None},
        "subscription": item["subscription"],
        "subscription_item": item["id"],
    }
    return {"type": kind, "invoice_item_details": None, "subscription_item_details": None, kind: details}


def pricing(price: Thing) -> Thing:
    """Which price a line was reckoned by."""
    return {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def of_period(books: Books, item: Thing, start: int, end: int, *, trial: bool = False) -> Thing:
    """The line of an item for a whole period; a trial's costs nothing."""
    name = _name(books, item["price"])
    if trial:
        return line(books, item, amount=0, start=start, end=end, description=f"Trial period for {name}")
    price, quantity = item["price"], item["quantity"]
    every = price["recurring"]["interval"]
    description = f"{quantity} × {name} (at {_money(price)} / {every})"
    return line(books, item, amount=cost(price, quantity), start=start, end=end, description=description)


def of_pending(books: Books, pending: Thing) -> Thing:
    """The line that bills a pending invoice item."""
    details = (pending["parent"] or {}).get("subscription_details") or {}
    item = {
        "id": details.get("subscription_item"),
        "subscription": details.get("subscription"),
        "metadata": pending["metadata"],
        "quantity": pending["quantity"],
        "price": _priced(books, pending),
    }
    start, end = pending["period"]["start"], pending["period"]["end"]
    about = pending["description"]
    return line(books, item, amount=pending["amount"], start=start, end=end, description=about, pending=pending)


def _priced(books: Books, pending: Thing) -> Thing:
    by = pending["pricing"]
    if by is not None:
        return books.get("price", by["price_details"]["price"])
    return {"id": None, "product": None, "unit_amount_decimal": None, "currency": pending["currency"]}


def proration_text(books: Books, price: Thing, quantity: int, at: int, *, credit: bool) -> str:
    """How a proration reads on the invoice."""
    day = datetime.fromtimestamp(at, UTC).strftime("%d %b %Y")
    what = _name(books, price) if quantity == 1 else f"{quantity} × {_name(books, price)}"
    return f"Unused time on {what} after {day}" if credit else f"Remaining time on {what} after {day}"


def _name(books: Books, price: Thing) -> str:
    product = books.find("product", price["product"])
    return str(product["name"]) if product else str(price["product"])


def _money(price: Thing) -> str:
    return f"{price['unit_amount'] / 100:.2f} {price['currency'].upper()}"


def with_discounts(books: Books, lines: list[Thing], discounts: list[str]) -> list[Thing]:
    """The lines with what each discount takes off."""
    found = [one for one in (books.find("discount", id_) for id_ in discounts) if one]
    coupons = [(one["id"], books.kinds["coupon"][one["source"]["coupon"]]) for one in found]
    for id_, coupon in coupons:
        lines = _discounted(lines, id_, coupon)
    return lines


def _discounted(lines: list[Thing], id_: str, coupon: Thing) -> list[Thing]:
    left, done = coupon["amount_off"] or 0, []
    products = (coupon.get("applies_to") or {}).get("products")
    for one in lines:
        rest = one["amount"] - sum(off["amount"] for off in one["discount_amounts"])
        off = 0
        if not products or one["pricing"]["price_details"]["product"] in products:
            off = round(rest * coupon["percent_off"] / 100) if coupon["percent_off"] else max(0, min(left, rest))
            left -= 0 if coupon["percent_off"] else off
        shown = [*one["discount_amounts"], {"amount": off, "discount": id_}] if off else one["discount_amounts"]
        done.append({**one, "discount_amounts": shown})
    return done


def sums(lines: list[Thing]) -> dict[str, Any]:
    """What the lines come to."""
    subtotal = sum(one["amount"] for one in lines)
    by_discount: dict[str, int] = {}
    for one in lines:
        for off in one["discount_amounts"]:
            by_discount[off["discount"]] = by_discount.get(off["discount"], 0) + off["amount"]
    total = subtotal - sum(by_discount.values())
    return {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_excluding_tax": total,
        "total_discount_amounts": [{"amount": amount, "discount": id_} for id_, amount in by_discount.items()],
    }
