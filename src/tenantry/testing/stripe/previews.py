"""What an invoice would be: the change is rehearsed, its invoice copied, and all of it undone."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import changing, customers, invoicing, items, lines, pending, shapes
from tenantry.testing.stripe.books import Books, Thing, copied
from tenantry.testing.stripe.discounts import DISCOUNTS
from tenantry.testing.stripe.renewals import drawn
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.standing import ENDED, period_of
from tenantry.testing.stripe.subscribing import subscribed
from tenantry.testing.stripe.subscriptions import CHANGED_ITEMS, PRORATION
from tenantry.testing.stripe.wire import invalid

DETAILS = shapes.hash_of(
    items=CHANGED_ITEMS,
    billing_cycle_anchor=shapes.moment,
    cancel_at=shapes.moment,
    cancel_at_period_end=shapes.flag,
    cancel_now=shapes.flag,
    default_tax_rates=shapes.anything,
    proration_behavior=PRORATION,
    proration_date=shapes.whole,
    trial_end=shapes.moment,
)


@route("POST", "/invoices/create_preview", customer=shapes.text, subscription=shapes.text, discounts=DISCOUNTS,
       subscription_details=DETAILS, currency=shapes.text, automatic_tax=shapes.anything,
       preview_mode=shapes.one_of("next", "recurring"))  # fmt: skip
def create_preview(asked: Asked) -> Thing:
    """The next invoice of a subscription, as it is or after a change; nothing is kept."""
    books, details = asked.books, dict(asked.get("subscription_details", {}))
    if "discounts" in asked.params:
        details["discounts"] = asked.params["discounts"]
    with books.rehearsal():
        draft = _of_existing if asked.get("subscription") else _of_new
        return _as_preview(draft(books, asked, details))


def _of_new(books: Books, asked: Asked, details: dict[str, Any]) -> Thing:
    if not asked.get("customer") or not details.get("items"):
        raise invalid("A preview needs a subscription, or a customer and items.", "customer", "parameter_missing")
    customer = customers.living(books, asked.params["customer"], "customer")
    subscription = subscribed(books, customer, {**details, "payment_behavior": "default_incomplete"})
    return books.get("invoice", subscription["latest_invoice"])


def _of_existing(books: Books, asked: Asked, details: dict[str, Any]) -> Thing:
    subscription = books.get("subscription", asked.params["subscription"], "subscription")
    if asked.get("customer") not in (None, subscription["customer"]):
        raise invalid("The subscription belongs to another customer.", "customer")
    if subscription["status"] in ENDED:
        raise invalid("There is no upcoming invoice: the subscription is canceled.", code="invoice_upcoming_none")
    before = subscription["latest_invoice"]
    if details.pop("cancel_now", None):
        behavior = details.get("proration_behavior") or "create_prorations"
        at = details.get("proration_date") or books.now(subscription["customer"])
        changing.credit_rest(changing.Change(books, subscription, behavior, at))
        return _of_waiting(books, subscription)
    changing.altered(books, subscription, {**details, "payment_behavior": "default_incomplete"})
    if subscription["latest_invoice"] != before:
        return books.get("invoice", subscription["latest_invoice"])
    return _upcoming(books, subscription)


def _of_waiting(books: Books, subscription: Thing) -> Thing:
    customer = books.get("customer", subscription["customer"])
    shown = [lines.of_pending(books, one) for one in pending.waiting(books, subscription)]
    more = {"subscription": subscription, "currency": subscription["currency"]}
    return invoicing.drafted(books, customer, "upcoming", shown, **more)


def _upcoming(books: Books, subscription: Thing) -> Thing:
    if subscription["cancel_at_period_end"]:
        if not pending.waiting(books, subscription):
            message = "There is no upcoming invoice: the subscription will be canceled."
            raise invalid(message, code="invoice_upcoming_none")
        return _of_waiting(books, subscription)
    start = period_of(subscription)[1]
    price = subscription["items"]["data"][0]["price"]
    anchor = subscription["billing_cycle_anchor"]
    end = items.first_period(price, start, min(anchor, start), None)[1]
    items.moved(books, subscription, start, end)
    invoice = drawn(books, subscription, "upcoming")
    books.change(invoice, next_payment_attempt=start + books.rules.draft_seconds, created=start)
    return invoice


def _as_preview(invoice: Thing) -> Thing:
    shown = copied(invoice)
    id_ = f"upcoming_{invoice['id']}"
    kept: Thing = {"id": id_, "status": "draft", "number": None, "hosted_invoice_url": None, "invoice_pdf": None}
    kept |= {"attempted": False, "attempt_count": 0, "amount_paid": 0, "amount_remaining": shown["amount_due"]}
    lined = [{**one, "invoice": id_} for one in shown["lines"]["data"]]
    return {**shown, **kept, "lines": {**shown["lines"], "data": lined, "url": f"/v1/invoices/{id_}/lines"}}
