"""Checkout sessions: an offer with a page to click, which becomes a customer, a subscription and a paid invoice."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import customers, discounts, items, lines, notices, shapes
from tenantry.testing.stripe.books import Books, Thing, merged
from tenantry.testing.stripe.expansion import included
from tenantry.testing.stripe.lists import of_kind, page
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.subscriptions import TRIAL_SETTINGS
from tenantry.testing.stripe.wire import invalid, listing

KIND, URL = "checkout.session", "/checkout/sessions"
SHORTEST, LONGEST = 30 * 60, 24 * 3600
SUBSCRIPTION_DATA = shapes.hash_of(
    billing_cycle_anchor=shapes.whole,
    billing_mode=shapes.anything,
    description=shapes.text,
    metadata=shapes.metadata,
    proration_behavior=shapes.one_of("create_prorations", "none"),
    trial_end=shapes.whole,
    trial_period_days=shapes.whole,
    trial_settings=TRIAL_SETTINGS,
)
ITEM = shapes.hash_of(
    ("price",), price=shapes.text, quantity=shapes.quantity, adjustable_quantity=shapes.anything,
    metadata=shapes.metadata,
)  # fmt: skip
SHOWN: shapes.Readers = {
    "allow_promotion_codes": shapes.flag,
    "automatic_tax": shapes.anything,
    "billing_address_collection": shapes.one_of("auto", "required"),
    "cancel_url": shapes.text,
    "client_reference_id": shapes.text,
    "customer_update": shapes.anything,
    "locale": shapes.text,
    "payment_method_collection": shapes.one_of("always", "if_required"),
    "payment_method_types": shapes.each(shapes.text),
    "phone_number_collection": shapes.anything,
    "saved_payment_method_options": shapes.anything,
    "submit_type": shapes.text,
    "success_url": shapes.text,
    "tax_id_collection": shapes.anything,
}
_UNSET = (
    "adaptive_pricing", "after_expiration", "allow_promotion_codes", "amount_subtotal", "amount_total",
    "billing_address_collection", "cancel_url", "client_reference_id", "client_secret", "collected_information",
    "consent", "consent_collection", "currency", "currency_conversion", "customer", "customer_creation",
    "customer_details", "customer_email", "invoice", "invoice_creation", "locale", "origin_context", "payment_intent",
    "payment_link", "payment_method_configuration_details", "payment_method_options", "recovered_from",
    "redirect_on_completion", "saved_payment_method_options", "setup_intent", "shipping_address_collection",
    "shipping_cost", "submit_type", "subscription", "success_url", "total_details", "wallet_options",
)  # fmt: skip


@route("POST", URL, **SHOWN, mode=shapes.one_of("subscription", "setup"), customer=shapes.text,
       customer_email=shapes.text, currency=shapes.text, line_items=shapes.each(ITEM),
       subscription_data=SUBSCRIPTION_DATA,
       discounts=discounts.DISCOUNTS, metadata=shapes.metadata, expires_at=shapes.whole,
       ui_mode=shapes.one_of("hosted_page"),
       setup_intent_data=shapes.hash_of(metadata=shapes.metadata, description=shapes.text))  # fmt: skip
def create(asked: Asked) -> Thing:
    """A new session, open until it is completed or runs out."""
    books, given = asked.books, asked.params
    _check(asked)
    session = books.put(_session(asked))
    books.change(session, **_sums(books, session, given))
    books.keep(f"checkout:{session['id']}", {name: given.get(name) for name in _KEPT})
    books.plan(session["expires_at"], "expire_checkout", session)
    return session


_KEPT = ("line_items", "subscription_data", "discounts", "payment_method_collection", "setup_intent_data")


def _check(asked: Asked) -> None:
    books, given = asked.books, asked.params
    for needed in ("mode", "success_url"):
        if not given.get(needed):
            raise invalid(f"Missing required param: {needed}.", needed, "parameter_missing")
    if given.get("customer"):
        customers.living(books, given["customer"], "customer")
    if given["mode"] == "subscription":
        if not given.get("line_items"):
            raise invalid("Missing required param: line_items.", "line_items", "parameter_missing")
        items.sellable(books, given["line_items"], "line_items")
        if any(one.get("quantity") == 0 for one in given["line_items"]):
            raise invalid("Invalid quantity: must be at least 1.", "line_items[0][quantity]")
    if given.get("discounts") and given.get("allow_promotion_codes"):
        raise invalid("You may only specify one of: allow_promotion_codes, discounts.", "discounts")
    for one in given.get("discounts") or []:
        discounts.usable(books, one, given.get("customer") or "")
    for name in ("success_url", "cancel_url"):
        if given.get(name) and not given[name].startswith(("http://", "https://")):
            raise invalid("Not a valid URL", name, "url_invalid")


def _session(asked: Asked) -> Thing:
    books, given = asked.books, asked.params
    id_, now = books.new_id("cs_test", 58), books.now(given.get("customer"))
    return {
        "id": id_,
        "object": KIND,
        **dict.fromkeys(_UNSET, None),
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": now,
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"), None
        ),
        "customer": given.get("customer"),
        "customer_email": given.get("customer_email"),
        "discounts": [{"coupon": None, "promotion_code": None, **one} for one in given.get("discounts") or []],
        "expires_at": _expiry(asked, now),
        "livemode": books.livemode,
        "metadata": merged({}, given.get("metadata") or {}),
        "mode": given["mode"],
        "payment_method_collection": "always",
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required" if given["mode"] == "setup" else "unpaid",
        "shipping_options": [],
        "status": "open",
        "ui_mode": "hosted_page",
        "url": f"{books.base_url}/checkout/{id_}",
        **{name: given[name] for name in SHOWN if given.get(name) is not None},
    }


def _expiry(asked: Asked, now: int) -> int:
    at = asked.get("expires_at", now + asked.books.rules.checkout_seconds)
    if not now + SHORTEST <= at <= now + LONGEST:
        raise invalid("`expires_at` must be between 30 minutes and 24 hours from now.", "expires_at")
    return int(at)


def _sums(books: Books, session: Thing, given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("line_items") or []
    if not wanted:
        return {"currency": given.get("currency")}
    data = [_line(books, session, books.get("price", one["price"]), one.get("quantity")) for one in wanted]
    trial = any((given.get("subscription_data") or {}).get(name) for name in ("trial_end", "trial_period_days"))
    subtotal = 0 if trial else sum(one["amount_subtotal"] for one in data)
    off = min(subtotal, sum(_off(books, one, subtotal) for one in given.get("discounts") or []))
    books.keep(f"lines:{session['id']}", data)
    return {
        "currency": data[0]["currency"],
        "amount_subtotal": subtotal,
        "amount_total": subtotal - off,
        "total_details": {"amount_discount": off, "amount_shipping": 0, "amount_tax": 0},
    }


def _off(books: Books, one: dict[str, Any], subtotal: int) -> int:
    coupon, _ = discounts.usable(books, one, "")
    return int(coupon["amount_off"] or round(subtotal * coupon["percent_off"] / 100))


def _line(books: Books, session: Thing, price: Thing, quantity: int | None) -> Thing:
    total = lines.cost(price, quantity)
    return {
        "id": books.new_id("li", 24),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price["currency"],
        "description": books.get("product", price["product"])["name"],
        "metadata": {},
        "price": price,
        "quantity": 1 if quantity is None else quantity,
    }


@included(KIND, "line_items")
def _line_items(books: Books, session: Thing) -> Thing:
    return listing(f"/v1{URL}/{session['id']}/line_items", books.secrets.get(f"lines:{session['id']}", []))


@route("GET", URL + "/{}/line_items", lists=True)
def list_lines(asked: Asked) -> Thing:
    """What a session offers."""
    asked.books.get(KIND, asked.id)
    return page(asked, f"/v1{URL}/{asked.id}/line_items", asked.books.secrets.get(f"lines:{asked.id}", []))


@route("GET", URL + "/{}")
def retrieve(asked: Asked) -> Thing:
    """One session."""
    return asked.books.get(KIND, asked.id)


@route("GET", URL, lists=True, customer=shapes.text, subscription=shapes.text, status=shapes.text,
       payment_intent=shapes.text, created=shapes.span)  # fmt: skip
def list_sessions(asked: Asked) -> Thing:
    """Sessions of a customer or a subscription."""
    status, subscription = asked.get("status"), asked.get("subscription")

    def keep(one: Thing) -> bool:
        return status in (None, one["status"]) and subscription in (None, one["subscription"])

    return of_kind(asked, KIND, "/v1" + URL, keep)


@route("POST", URL + "/{}", metadata=shapes.metadata)
def update(asked: Asked) -> Thing:
    """Change what is noted on a session."""
    session = asked.books.get(KIND, asked.id)
    asked.books.change(session, metadata=merged(session["metadata"], asked.params.get("metadata") or {}))
    return session


@route("POST", URL + "/{}/expire")
def expire(asked: Asked) -> Thing:
    """Close an open session."""
    session = asked.books.get(KIND, asked.id)
    if session["status"] != "open":
        raise invalid('Only Checkout Sessions with a status in ["open"] can be expired.')
    _closed(asked.books, session)
    return session


def ran_out(books: Books, session: Thing, at: int) -> None:
    """Nobody completed it in time."""
    if session["status"] == "open" and session["expires_at"] <= at:
        _closed(books, session)


def _closed(books: Books, session: Thing) -> None:
    books.change(session, status="expired", url=None)
    notices.told(books, "checkout.session.expired", session)
