"""Subscriptions as they are asked for: create, change, cancel, resume, list."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import changing, customers, invoicing, items, lines, pending, renewals, shapes
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.changing import Change
from tenantry.testing.stripe.discounts import DISCOUNTS
from tenantry.testing.stripe.ending import cancelled_at_once
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.search import searched
from tenantry.testing.stripe.standing import ENDED
from tenantry.testing.stripe.subscribing import subscribed
from tenantry.testing.stripe.wire import invalid

TRIAL_SETTINGS = shapes.hash_of(
    end_behavior=shapes.hash_of(missing_payment_method=shapes.one_of("cancel", "create_invoice", "pause"))
)
DETAILS = shapes.hash_of(
    comment=shapes.text,
    feedback=shapes.one_of(
        "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex",
        "too_expensive", "unused",
    ),
)  # fmt: skip
PRORATION = shapes.one_of("create_prorations", "always_invoice", "none")
FIELDS: shapes.Readers = {
    "automatic_tax": shapes.anything,
    "billing_cycle_anchor": shapes.moment,
    "cancel_at": shapes.moment,
    "cancel_at_period_end": shapes.flag,
    "collection_method": shapes.one_of("charge_automatically", "send_invoice"),
    "days_until_due": shapes.whole,
    "default_payment_method": shapes.text,
    "description": shapes.text,
    "discounts": DISCOUNTS,
    "metadata": shapes.metadata,
    "off_session": shapes.flag,
    "payment_behavior": shapes.one_of("allow_incomplete", "default_incomplete", "error_if_incomplete"),
    "payment_settings": shapes.anything,
    "proration_behavior": PRORATION,
    "trial_end": shapes.moment,
    "trial_period_days": shapes.whole,
    "trial_settings": TRIAL_SETTINGS,
}
PAUSE = shapes.hash_of(
    ("behavior",), resumes_at=shapes.whole, behavior=shapes.one_of("keep_as_draft", "mark_uncollectible", "void")
)
CHANGED_ITEMS = shapes.each(shapes.hash_of(**items.ITEM, id=shapes.text, deleted=shapes.flag))


@route("POST", "/subscriptions", needs=("customer", "items"), **FIELDS, customer=shapes.text,
       items=shapes.each(shapes.hash_of(**items.ITEM)), billing_mode=shapes.anything)  # fmt: skip
def create(asked: Asked) -> Thing:
    """A new subscription for a customer."""
    customer = customers.living(asked.books, asked.params["customer"], "customer")
    return subscribed(asked.books, customer, asked.params)


@route("GET", "/subscriptions/search", needs=("query",), query=shapes.text, limit=shapes.whole, page=shapes.text)
def search(asked: Asked) -> Thing:
    """Subscriptions that a query finds."""
    return searched(asked, "subscription", "/v1/subscriptions/search")


@route("GET", "/subscriptions/{}")
def retrieve(asked: Asked) -> Thing:
    """One subscription."""
    return asked.books.get("subscription", asked.id)


@route("POST", "/subscriptions/{}", **FIELDS, items=CHANGED_ITEMS, cancellation_details=DETAILS,
       proration_date=shapes.whole,
       pause_collection=PAUSE)  # fmt: skip
def update(asked: Asked) -> Thing:
    """Change a subscription."""
    return changing.altered(asked.books, asked.books.get("subscription", asked.id), asked.params)


@route("DELETE", "/subscriptions/{}", invoice_now=shapes.flag, prorate=shapes.flag, cancellation_details=DETAILS)
def cancel(asked: Asked) -> Thing:
    """End a subscription now."""
    return cancelled(asked.books, asked.books.get("subscription", asked.id), asked.params)


def cancelled(books: Books, subscription: Thing, given: dict[str, Any]) -> Thing:
    """End a subscription, with the unused time credited and all invoiced if that was asked for."""
    if subscription["status"] in ENDED:
        raise invalid(f"No such subscription: '{subscription['id']}'", "id", "resource_missing")
    if given.get("prorate"):
        changing.credit_rest(Change(books, subscription, "create_prorations", books.now(subscription["customer"])))
    if given.get("invoice_now"):
        _last_invoice(books, subscription)
    details = given.get("cancellation_details") or {}
    return cancelled_at_once(books, subscription, reason="cancellation_requested", **details)


def _last_invoice(books: Books, subscription: Thing) -> None:
    waiting = pending.waiting(books, subscription)
    if not waiting:
        return
    customer = books.get("customer", subscription["customer"])
    shown = [lines.of_pending(books, one) for one in waiting]
    invoice = invoicing.drafted(books, customer, "subscription_update", shown, subscription=subscription)
    pending.billed(books, waiting, invoice)
    invoicing.finalized(books, invoice)
    if invoice["status"] == "open":
        invoicing.collected(books, invoice)


@route("POST", "/subscriptions/{}/resume", billing_cycle_anchor=shapes.one_of("now", "unchanged"),
       proration_behavior=PRORATION, proration_date=shapes.whole)  # fmt: skip
def resume(asked: Asked) -> Thing:
    """Have a paused subscription go on."""
    subscription = asked.books.get("subscription", asked.id)
    if subscription["status"] != "paused":
        raise invalid("Only a paused subscription can be resumed.")
    return renewals.resumed(asked.books, subscription)


@route("DELETE", "/subscriptions/{}/discount")
def delete_discount(asked: Asked) -> Thing:
    """Take a subscription's discounts away."""
    subscription = asked.books.get("subscription", asked.id)
    changing.altered(asked.books, subscription, {"discounts": []})
    return {"id": asked.id, "object": "discount", "deleted": True}


@route("GET", "/subscriptions", lists=True, customer=shapes.text, status=shapes.text, price=shapes.text,
       created=shapes.span, collection_method=shapes.text, test_clock=shapes.text,
       current_period_start=shapes.span, current_period_end=shapes.span)  # fmt: skip
def list_subscriptions(asked: Asked) -> Thing:
    """Subscriptions that live, or those of a status; `all` shows the cancelled too."""
    status, price, clock = asked.get("status"), asked.get("price"), asked.get("test_clock")

    def keep(one: Thing) -> bool:
        sold = price is None or any(item["price"]["id"] == price for item in one["items"]["data"])
        return sold and _in_status(one["status"], status) and clock in (None, one["test_clock"])

    return of_kind(asked, "subscription", "/v1/subscriptions", keep)


def _in_status(status: str, wanted: str | None) -> bool:
    if wanted in (None, "all"):
        return wanted == "all" or status != "canceled"
    return status in ENDED if wanted == "ended" else status == wanted


@route("GET", "/subscription_items", lists=True, needs=("subscription",), subscription=shapes.text)
def list_items(asked: Asked) -> Thing:
    """The items of a subscription."""
    return dict(asked.books.get("subscription", asked.params["subscription"], "subscription")["items"])


@route("GET", "/subscription_items/{}")
def retrieve_item(asked: Asked) -> Thing:
    """One item."""
    return asked.books.get("subscription_item", asked.id)


CHANGE: shapes.Readers = {
    "proration_behavior": PRORATION,
    "proration_date": shapes.whole,
    "payment_behavior": FIELDS["payment_behavior"],
}


@route("POST", "/subscription_items", needs=("subscription", "price"), **items.ITEM, **CHANGE, subscription=shapes.text)
def create_item(asked: Asked) -> Thing:
    """One more item for a subscription."""
    subscription = asked.books.get("subscription", asked.params["subscription"], "subscription")
    _item_change(asked, subscription, {name: asked.params[name] for name in items.ITEM if name in asked.params})
    return dict(subscription["items"]["data"][-1])


@route("POST", "/subscription_items/{}", **items.ITEM, **CHANGE, off_session=shapes.flag)
def update_item(asked: Asked) -> Thing:
    """Another price or quantity of an item."""
    item = asked.books.get("subscription_item", asked.id)
    one = {name: asked.params[name] for name in items.ITEM if name in asked.params}
    _item_change(asked, asked.books.get("subscription", item["subscription"]), {**one, "id": item["id"]})
    return item


@route("DELETE", "/subscription_items/{}", **CHANGE, clear_usage=shapes.flag)
def delete_item(asked: Asked) -> Thing:
    """Take an item from its subscription."""
    item = asked.books.get("subscription_item", asked.id)
    subscription = asked.books.get("subscription", item["subscription"])
    _item_change(asked, subscription, {"id": item["id"], "deleted": True})
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


def _item_change(asked: Asked, subscription: Thing, one: dict[str, Any]) -> None:
    given = {name: asked.params[name] for name in CHANGE if name in asked.params}
    changing.altered(asked.books, subscription, {**given, "items": [one]})
