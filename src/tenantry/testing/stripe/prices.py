"""Prices: what a product costs, and how often. An amount never changes; a lookup key can move to another price."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import notices, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.search import searched
from tenantry.testing.stripe.wire import invalid

RECURRING = shapes.hash_of(
    ("interval",),
    interval=shapes.one_of("day", "week", "month", "year"),
    interval_count=shapes.whole,
    usage_type=shapes.one_of("licensed"),
    trial_period_days=shapes.whole,
)
CHANGEABLE: shapes.Readers = {
    "active": shapes.flag,
    "lookup_key": shapes.text,
    "metadata": shapes.metadata,
    "nickname": shapes.text,
    "tax_behavior": shapes.one_of("exclusive", "inclusive", "unspecified"),
    "transfer_lookup_key": shapes.flag,
}
NEW: shapes.Readers = {
    **CHANGEABLE,
    "currency": shapes.text,
    "product": shapes.text,
    "unit_amount": shapes.amount,
    "recurring": RECURRING,
    "billing_scheme": shapes.one_of("per_unit"),
    "product_data": shapes.hash_of(("name",), name=shapes.text, metadata=shapes.metadata, unit_label=shapes.text),
}


@route("POST", "/prices", needs=("currency",), **NEW)
def create(asked: Asked) -> Thing:
    """A new price."""
    return made(asked.books, asked.params)


def made(books: Books, params: dict[str, Any]) -> Thing:
    """Enter a price, and take its lookup key from another if that was asked for."""
    _check(books, params)
    price = books.put(_price(books, params))
    _name(books, price, params)
    notices.told(books, "price.created", price)
    return price


def _check(books: Books, params: dict[str, Any]) -> None:
    if params.get("unit_amount") is None:
        raise invalid("Missing required param: unit_amount.", "unit_amount", "parameter_missing")
    if len(params["currency"]) != 3:
        raise invalid(f"Invalid currency: {params['currency']}", "currency")
    books.get("product", params.get("product") or "", "product")
    count = (params.get("recurring") or {}).get("interval_count", 1)
    if not 1 <= count <= 36:
        raise invalid("Invalid interval_count: at most three years", "recurring[interval_count]")


def _price(books: Books, params: dict[str, Any]) -> Thing:
    recurring = params.get("recurring")
    blank: Thing = {"interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"}
    return {
        "id": books.new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "created": books.now(),
        "currency": params["currency"].lower(),
        "custom_unit_amount": None,
        "livemode": books.livemode,
        "lookup_key": None,
        "metadata": merged({}, params.get("metadata") or {}),
        "nickname": params.get("nickname"),
        "product": params["product"],
        "recurring": {**blank, **recurring} if recurring else None,
        "tax_behavior": params.get("tax_behavior") or "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": params["unit_amount"],
        "unit_amount_decimal": str(params["unit_amount"]),
    }


def _name(books: Books, price: Thing, params: dict[str, Any]) -> None:
    key = params.get("lookup_key")
    if key is None or key == price["lookup_key"]:
        return
    holder = next((one for one in books.newest_first("price") if one["lookup_key"] == key), None)
    if holder is not None:
        if not params.get("transfer_lookup_key"):
            message = f"A price (`{holder['id']}`) already uses that lookup key."
            raise invalid(message, "lookup_key", "resource_already_exists")
        before = copied(holder)
        books.change(holder, lookup_key=None)
        notices.changed(books, "price.updated", holder, before)
    books.change(price, lookup_key=key)


@route("GET", "/prices/search", needs=("query",), query=shapes.text, limit=shapes.whole, page=shapes.text)
def search(asked: Asked) -> Thing:
    """Prices that a query finds."""
    return searched(asked, "price", "/v1/prices/search")


@route("GET", "/prices/{}")
def retrieve(asked: Asked) -> Thing:
    """One price."""
    return asked.books.get("price", asked.id)


@route("POST", "/prices/{}", **CHANGEABLE)
def update(asked: Asked) -> Thing:
    """Change what may be changed of a price: never what it costs."""
    books, params, price = asked.books, asked.params, asked.books.get("price", asked.id)
    before = copied(price)
    books.change(price, **{name: params[name] for name in ("active", "nickname", "tax_behavior") if name in params})
    if "metadata" in params:
        books.change(price, metadata=merged(price["metadata"], params["metadata"]))
    if "lookup_key" in params and params["lookup_key"] is None:
        books.change(price, lookup_key=None)
    _name(books, price, params)
    notices.changed(books, "price.updated", price, before)
    return price


@route("GET", "/prices", lists=True, active=shapes.flag, product=shapes.text, currency=shapes.text,
       type=shapes.text, lookup_keys=shapes.each(shapes.text), created=shapes.span,
       recurring=shapes.hash_of(interval=shapes.text, usage_type=shapes.text))  # fmt: skip
def list_prices(asked: Asked) -> Thing:
    """Prices, by lookup keys, product, type and whether they can be bought."""
    keys, interval = asked.get("lookup_keys"), asked.get("recurring", {}).get("interval")
    exact = {name: asked.params[name] for name in ("active", "product", "currency", "type") if name in asked.params}

    def keep(one: Thing) -> bool:
        rhythm = (one["recurring"] or {}).get("interval")
        named = not keys or one["lookup_key"] in keys
        return named and interval in (None, rhythm) and all(one[name] == value for name, value in exact.items())

    return of_kind(asked, "price", "/v1/prices", keep)
