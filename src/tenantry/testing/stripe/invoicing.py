"""From a draft to money: an invoice is drawn up, made final, collected, and retried when a card is declined."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import lines, notices, payments, standing
from tenantry.testing.stripe.books import Books, Thing, copied
from tenantry.testing.stripe.ending import voided
from tenantry.testing.stripe.payments import Outcome
from tenantry.testing.stripe.wire import listing

NO_CARD = "no_payment_method"
_UNSET = (
    "account_country", "account_name", "account_tax_ids", "amount_paid_off_stripe", "application", "custom_fields",
    "customer_account", "customer_phone", "customer_shipping", "default_payment_method", "default_source",
    "description", "due_date", "effective_at", "ending_balance", "footer", "from_invoice", "hosted_invoice_url",
    "invoice_pdf", "last_finalization_error", "latest_revision", "next_payment_attempt", "number", "on_behalf_of",
    "receipt_number", "rendering", "shipping_cost", "shipping_details", "statement_descriptor", "threshold_reason",
    "webhooks_delivered_at", "automatically_finalizes_at",
)  # fmt: skip


def drafted(books: Books, customer: Thing, reason: str, shown: list[Thing], **more: Any) -> Thing:
    """A draft of these lines; `subscription`, `discounts` and `period` say what it is for."""
    subscription = more.get("subscription")
    now = books.now(customer["id"])
    discounts = more.get("discounts", (subscription or {}).get("discounts", []))
    invoice = _blank(books, customer, reason, now)
    priced = lines.with_discounts(books, shown, discounts)
    start, end = more.get("period", (now, now))
    invoice |= lines.sums(priced)
    invoice |= {
        "lines": _numbered(invoice["id"], priced),
        "discounts": list(discounts),
        "period_start": start,
        "period_end": end,
        "parent": _parent(subscription) if subscription else None,
        "currency": priced[0]["currency"] if priced else more["currency"],
        "collection_method": (subscription or {}).get("collection_method", more.get("collection_method"))
        or "charge_automatically",
        "auto_advance": more.get("auto_advance", True),
    }
    invoice |= _due(invoice, customer)
    books.put(invoice)
    if subscription:
        books.change(subscription, latest_invoice=invoice["id"])
    notices.told(books, "invoice.created", invoice)
    return invoice


def _blank(books: Books, customer: Thing, reason: str, now: int) -> Thing:
    return {
        "id": books.new_id("in", 24),
        "object": "invoice",
        **dict.fromkeys(_UNSET, None),
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "automatic_tax": {
            "enabled": False,
            "disabled_reason": None,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "billing_reason": reason,
        "created": now,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [
            {"type": one["type"], "value": one["value"]} for one in books.newest_first("tax_id", customer["id"])
        ],
        "default_tax_rates": [],
        "issuer": {"type": "self"},
        "livemode": books.livemode,
        "metadata": {},
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at"), None),
        "test_clock": customer["test_clock"],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


def _numbered(id_: str, shown: list[Thing]) -> Thing:
    data = [{**one, "invoice": id_} for one in shown]
    return {**listing(f"/v1/invoices/{id_}/lines", data), "total_count": len(data)}


def _parent(subscription: Thing) -> Thing:
    details = {
        "metadata": dict(subscription["metadata"]),
        "subscription": subscription["id"],
        "subscription_proration_date": None,
    }
    return {"type": "subscription_details", "quote_details": None, "subscription_details": details}


def _due(invoice: Thing, customer: Thing) -> dict[str, int]:
    balance = int(customer["balance"] or 0)
    due = max(0, invoice["total"] + balance) if invoice["total"] > 0 else 0
    return {"starting_balance": balance, "amount_due": due, "amount_remaining": due}


def relined(books: Books, invoice: Thing, shown: list[Thing]) -> None:
    """A draft with other lines."""
    priced = lines.with_discounts(books, [{**one, "discount_amounts": []} for one in shown], invoice["discounts"])
    books.change(invoice, lines=_numbered(invoice["id"], priced), **lines.sums(priced))
    books.change(invoice, **_due(invoice, books.get("customer", invoice["customer"])))


def finalized(books: Books, invoice: Thing) -> Thing:
    """A draft becomes a demand; one that demands nothing is paid at once."""
    customer = books.get("customer", invoice["customer"])
    due = _due(invoice, customer)
    ending = due["starting_balance"] + invoice["total"] - due["amount_due"]
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    sequence = customer["next_invoice_sequence"] + 1
    books.change(customer, balance=ending, next_invoice_sequence=sequence, currency=invoice["currency"])
    now = books.now(customer["id"])
    books.change(
        invoice,
        **due,
        status="open",
        number=number,
        ending_balance=ending,
        effective_at=now,
        automatically_finalizes_at=None,
        hosted_invoice_url=f"{books.base_url}/invoice/{invoice['id']}",
        invoice_pdf=f"{books.base_url}/invoice/{invoice['id']}/pdf",
        status_transitions={**invoice["status_transitions"], "finalized_at": now},
    )
    notices.told(books, "invoice.finalized", invoice)
    if due["amount_due"] == 0:
        _paid(books, invoice, None)
    else:
        _demand(books, invoice)
    return invoice


def _demand(books: Books, invoice: Thing) -> None:
    intent = payments.intended(books, invoice["customer"], invoice["amount_due"], invoice["currency"])
    books.keep(f"intent:{invoice['id']}", intent["id"])
    books.keep(f"invoice:{intent['id']}", invoice["id"])
    payment = books.put(
        {
            "id": books.new_id("inpay", 24),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": invoice["amount_due"],
            "created": books.now(invoice["customer"]),
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": books.livemode,
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )
    books.keep(f"payment:{invoice['id']}", payment["id"])


def intent_of(books: Books, invoice: Thing) -> Thing | None:
    """The payment intent of an open or paid invoice."""
    return books.find("payment_intent", books.secrets.get(f"intent:{invoice['id']}"))


def card_for(books: Books, invoice: Thing) -> Thing | None:
    """The card that pays this: the invoice's own, the subscription's, or the customer's."""
    subscription = standing.billed(books, invoice) or {}
    customer = books.get("customer", invoice["customer"])
    chosen = (
        invoice["default_payment_method"]
        or subscription.get("default_payment_method")
        or (customer.get("invoice_settings") or {}).get("default_payment_method")
    )
    return books.find("payment_method", chosen)


def collected(books: Books, invoice: Thing, card: Thing | None = None, *, authenticated: bool = False) -> Outcome:
    """Try to be paid, once."""
    method, intent = card or card_for(books, invoice), intent_of(books, invoice)
    if intent is None or invoice["status"] == "paid":
        return Outcome(paid=True)
    if method is None:
        outcome = Outcome(decline=NO_CARD)
    else:
        outcome = payments.attempted(books, intent, method, authenticated=authenticated)
    if outcome.paid:
        _paid(books, invoice, outcome.charge)
    else:
        _declined(books, invoice, outcome)
    return outcome


def _paid(books: Books, invoice: Thing, charge: Thing | None) -> None:
    now = books.now(invoice["customer"])
    books.change(
        invoice,
        status="paid",
        attempted=True,
        attempt_count=invoice["attempt_count"] + (1 if charge else 0),
        amount_paid=invoice["amount_due"],
        amount_remaining=0,
        auto_advance=False,
        next_payment_attempt=None,
        status_transitions={**invoice["status_transitions"], "paid_at": now},
    )
    payment = books.find("invoice_payment", books.secrets.get(f"payment:{invoice['id']}"))
    if payment is not None:
        transitions = {**payment["status_transitions"], "paid_at": now}
        books.change(payment, status="paid", amount_paid=invoice["amount_due"], status_transitions=transitions)
        notices.told(books, "invoice_payment.paid", payment)
    _delinquent(books, invoice, is_so=False)
    notices.told(books, "invoice.paid", invoice)
    notices.told(books, "invoice.payment_succeeded", invoice)
    standing.recovered(books, invoice)


def paid_elsewhere(books: Books, invoice: Thing) -> None:
    """Somebody paid outside Stripe."""
    if invoice["status"] in ("open", "uncollectible"):
        intent = intent_of(books, invoice)
        _paid(books, invoice, None)
        books.change(invoice, amount_paid=0, amount_paid_off_stripe=invoice["amount_due"])
        if intent is not None:
            payments.cancelled(books, intent)


def _declined(books: Books, invoice: Thing, outcome: Outcome) -> None:
    before = copied(invoice)
    books.change(invoice, attempted=True, attempt_count=invoice["attempt_count"] + 1)
    notices.changed(books, "invoice.updated", invoice, before)
    if outcome.waits:
        notices.told(books, "invoice.payment_action_required", invoice)
    notices.told(books, "invoice.payment_failed", invoice)
    _delinquent(books, invoice, is_so=True)
    if invoice["billing_reason"] != "subscription_create":
        standing.overdue(books, invoice)


def _delinquent(books: Books, invoice: Thing, *, is_so: bool) -> None:
    customer = books.get("customer", invoice["customer"])
    if not customer.get("deleted") and customer["delinquent"] is not is_so:
        before = copied(customer)
        books.change(customer, delinquent=is_so)
        notices.changed(books, "customer.updated", customer, before)


def struck(books: Books, invoice: Thing) -> None:
    """Void an invoice: nobody owes it any more."""
    if invoice["status"] in ("open", "uncollectible"):
        voided(books, invoice)
        _released(books, invoice)


def written_off(books: Books, invoice: Thing) -> None:
    """Mark an invoice as uncollectible."""
    if invoice["status"] == "open":
        now = books.now(invoice["customer"])
        transitions = {**invoice["status_transitions"], "marked_uncollectible_at": now}
        books.change(
            invoice,
            status="uncollectible",
            auto_advance=False,
            next_payment_attempt=None,
            status_transitions=transitions,
        )
        notices.told(books, "invoice.marked_uncollectible", invoice)
        _released(books, invoice)


def _released(books: Books, invoice: Thing) -> None:
    subscription = standing.billed(books, invoice)
    if subscription is not None and subscription["status"] in ("past_due", "unpaid"):
        standing.recovered(books, invoice)
