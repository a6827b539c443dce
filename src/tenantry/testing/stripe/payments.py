"""Payment intents and charges: one attempt to take money from a card, and what the bank said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tenantry.testing.stripe import cards, notices, payment_methods, shapes
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.expansion import included
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import listing


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: paid, declined with this code, or waiting for the cardholder."""

    paid: bool = False
    decline: str = ""
    charge: Thing | None = None

    @property
    def waits(self) -> bool:
        """Whether the cardholder has to authenticate."""
        return self.decline == cards.AUTHENTICATE


def intended(books: Books, customer: str, amount: int, currency: str) -> Thing:
    """A payment intent that awaits a card."""
    id_ = books.new_id("pi", 24)
    intent = books.put(
        {
            "id": id_,
            "object": "payment_intent",
            **dict.fromkeys(_UNSET_OF_INTENT, None),
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "capture_method": "automatic",
            "client_secret": f"{id_}_secret_{books.new_id('s', 20)[2:]}",
            "confirmation_method": "automatic",
            "created": books.now(customer),
            "currency": currency,
            "customer": customer,
            "livemode": books.livemode,
            "metadata": {},
            "payment_method_types": ["card"],
            "setup_future_usage": "off_session",
            "status": "requires_payment_method",
        }
    )
    notices.told(books, "payment_intent.created", intent)
    return intent


_UNSET_OF_INTENT = (
    "application", "canceled_at", "cancellation_reason", "description", "last_payment_error", "latest_charge",
    "next_action", "on_behalf_of", "payment_method", "payment_record", "receipt_email", "review", "source",
)  # fmt: skip


def attempted(books: Books, intent: Thing, method: Thing, *, authenticated: bool = False) -> Outcome:
    """Charge the card, and record what came of it."""
    said = payment_methods.says(books, method)
    payment_methods.heard(books, method)
    if said == cards.AUTHENTICATE and not authenticated:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        books.change(intent, status="requires_action", payment_method=method["id"], next_action=action)
        notices.told(books, "payment_intent.requires_action", intent)
        return Outcome(decline=said)
    decline = "" if said == cards.AUTHENTICATE else said
    charge = _charged(books, intent, method, decline)
    return _refused(books, intent, charge, decline) if decline else _taken(books, intent, charge, method)


def _taken(books: Books, intent: Thing, charge: Thing, method: Thing) -> Outcome:
    books.change(
        intent,
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        payment_method=method["id"],
        next_action=None,
        last_payment_error=None,
    )
    notices.told(books, "charge.succeeded", charge)
    notices.told(books, "payment_intent.succeeded", intent)
    return Outcome(paid=True, charge=charge)


def _refused(books: Books, intent: Thing, charge: Thing, decline: str) -> Outcome:
    error = {
        "type": "card_error",
        "code": cards.error_code(decline),
        "decline_code": decline,
        "message": cards.message(decline),
        "charge": charge["id"],
    }
    books.change(
        intent,
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        latest_charge=charge["id"],
        last_payment_error=error,
    )
    notices.told(books, "charge.failed", charge)
    notices.told(books, "payment_intent.payment_failed", intent)
    return Outcome(decline=decline, charge=charge)


_UNSET_OF_CHARGE = (
    "application", "application_fee", "application_fee_amount", "description", "dispute", "failure_balance_transaction",
    "on_behalf_of", "review", "source", "source_transfer", "transfer", "receipt_email", "receipt_number", "receipt_url",
)  # fmt: skip


def _charged(books: Books, intent: Thing, method: Thing, decline: str) -> Thing:
    failed = bool(decline)
    return books.put(
        {
            "id": books.new_id("ch", 24),
            "object": "charge",
            **dict.fromkeys(_UNSET_OF_CHARGE, None),
            "amount": intent["amount"],
            "amount_captured": 0 if failed else intent["amount"],
            "amount_refunded": 0,
            "balance_transaction": None if failed else books.new_id("txn", 24),
            "billing_details": method["billing_details"],
            "captured": not failed,
            "created": books.now(intent["customer"]),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "disputed": False,
            "failure_code": cards.error_code(decline) if failed else None,
            "failure_message": cards.message(decline) if failed else None,
            "fraud_details": {},
            "livemode": books.livemode,
            "metadata": {},
            "outcome": _outcome(decline),
            "paid": not failed,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {"type": "card", "card": method["card"]},
            "refunded": False,
            "status": "failed" if failed else "succeeded",
        }
    )


def _outcome(decline: str) -> dict[str, Any]:
    return {
        "network_status": "declined_by_network" if decline else "approved_by_network",
        "reason": decline or None,
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details." if decline else "Payment complete.",
        "type": "issuer_declined" if decline else "authorized",
    }


def cancelled(books: Books, intent: Thing) -> None:
    """Nothing will be taken on this intent any more."""
    if intent["status"] not in ("succeeded", "canceled"):
        books.change(
            intent, status="canceled", canceled_at=books.now(intent["customer"]), cancellation_reason="void_invoice"
        )
        notices.told(books, "payment_intent.canceled", intent)


@route("GET", "/payment_intents", lists=True, customer=shapes.text, created=shapes.span)
def list_intents(asked: Asked) -> Thing:
    """Payment intents, newest first."""
    return of_kind(asked, "payment_intent", "/v1/payment_intents")


@route("GET", "/payment_intents/{}", client_secret=shapes.text)
def retrieve_intent(asked: Asked) -> Thing:
    """One payment intent."""
    return asked.books.get("payment_intent", asked.id)


@route("GET", "/charges", lists=True, customer=shapes.text, payment_intent=shapes.text, created=shapes.span)
def list_charges(asked: Asked) -> Thing:
    """Charges, newest first."""
    intent = asked.get("payment_intent")
    return of_kind(asked, "charge", "/v1/charges", lambda one: intent in (None, one["payment_intent"]))


@route("GET", "/charges/{}")
def retrieve_charge(asked: Asked) -> Thing:
    """One charge."""
    return asked.books.get("charge", asked.id)


@included("charge", "refunds")
def _refunds(books: Books, charge: Thing) -> Thing:
    refunds = [one for one in books.newest_first("refund") if one["charge"] == charge["id"]]
    return listing(f"/v1/charges/{charge['id']}/refunds", refunds)
