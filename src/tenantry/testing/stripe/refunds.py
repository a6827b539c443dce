"""Money that goes back: refunds that are asked for, and disputes that a cardholder opens."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import notices, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid

EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "product_description",
    "receipt", "refund_policy", "service_date", "service_documentation", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


@route("POST", "/refunds", charge=shapes.text, payment_intent=shapes.text, amount=shapes.amount,
       reason=shapes.one_of("duplicate", "fraudulent", "requested_by_customer"), metadata=shapes.metadata)  # fmt: skip
def create(asked: Asked) -> Thing:
    """Give back what was paid, or a part of it."""
    books, charge = asked.books, _charge(asked)
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if asked.get("amount") is None else asked.params["amount"]
    if charge["refunded"] or left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", "charge", "charge_already_refunded")
    if not 0 < amount <= left:
        raise invalid(f"Refund amount is greater than unrefunded amount on charge ({left})", "amount")
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise invalid(f"Charge {charge['id']} cannot be refunded.", "charge", "charge_disputed")
    refund = books.put(_refund(asked, charge, amount))
    before, back = copied(charge), charge["amount_refunded"] + amount
    books.change(charge, amount_refunded=back, refunded=back == charge["amount"])
    notices.told(books, "charge.refunded", charge, before)
    notices.told(books, "refund.created", refund)
    return refund


def _charge(asked: Asked) -> Thing:
    books, intent = asked.books, asked.get("payment_intent")
    if intent:
        found = books.get("payment_intent", intent, "payment_intent")["latest_charge"]
        if found is None:
            raise invalid(f"This PaymentIntent ({intent}) does not have a successful charge to refund.")
        return books.get("charge", found)
    if not asked.get("charge"):
        raise invalid("One of the following params should be provided: payment_intent or charge.", "charge")
    return books.get("charge", asked.params["charge"], "charge")


def _refund(asked: Asked, charge: Thing, amount: int) -> Thing:
    unset = ("failure_balance_transaction", "pending_reason", "receipt_number", "source_transfer_reversal",
             "transfer_reversal")  # fmt: skip
    return {
        "id": asked.books.new_id("re", 24),
        "object": "refund",
        **dict.fromkeys(unset, None),
        "amount": amount,
        "balance_transaction": asked.books.new_id("txn", 24),
        "charge": charge["id"],
        "created": asked.books.now(charge["customer"]),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": {"type": "card", "card": {"type": "refund"}},
        "metadata": merged({}, asked.get("metadata", {})),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": asked.get("reason"),
        "status": "succeeded",
    }


@route("GET", "/refunds", lists=True, charge=shapes.text, payment_intent=shapes.text, created=shapes.span)
def list_refunds(asked: Asked) -> Thing:
    """Refunds, of a charge or an intent."""
    charge, intent = asked.get("charge"), asked.get("payment_intent")

    def keep(one: Thing) -> bool:
        return charge in (None, one["charge"]) and intent in (None, one["payment_intent"])

    return of_kind(asked, "refund", "/v1/refunds", keep)


@route("GET", "/refunds/{}")
def retrieve(asked: Asked) -> Thing:
    """One refund."""
    return asked.books.get("refund", asked.id)


def disputed(books: Books, charge: Thing, reason: str = "fraudulent") -> Thing:
    """A cardholder takes a payment back by the bank."""
    now = books.now(charge["customer"])
    dispute = books.put({
        "id": books.new_id("du", 24),
        "object": "dispute",
        "amount": charge["amount"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE, None), "enhanced_evidence": {}},
        "evidence_details": _evidence_details(now),
        "is_charge_refundable": False,
        "livemode": books.livemode,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"type": "card", "card": _disputed_card(charge)},
        "reason": reason,
        "status": "needs_response",
    })  # fmt: skip
    books.change(charge, disputed=True, dispute=dispute["id"])
    notices.told(books, "charge.dispute.created", dispute)
    notices.told(books, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def _disputed_card(charge: Thing) -> Thing:
    brand = charge["payment_method_details"]["card"]["brand"]
    return {"brand": brand, "case_type": "chargeback", "network": brand, "network_reason_code": "10"}


def _evidence_details(now: int) -> dict[str, Any]:
    return {
        "due_by": now + 9 * 86_400,
        "enhanced_eligibility": {},
        "has_evidence": False,
        "past_due": False,
        "submission_count": 0,
        "submission_method": "not_submitted",
    }


def dispute_closed(books: Books, dispute: Thing, *, won: bool) -> Thing:
    """The bank has decided."""
    before = copied(dispute)
    books.change(dispute, status="won" if won else "lost")
    if won:
        books.change(books.get("charge", dispute["charge"]), disputed=False)
        notices.told(books, "charge.dispute.funds_reinstated", dispute)
    notices.told(books, "charge.dispute.closed", dispute, before)
    return dispute


@route("GET", "/disputes", lists=True, charge=shapes.text, payment_intent=shapes.text, created=shapes.span)
def list_disputes(asked: Asked) -> Thing:
    """Disputes, of a charge or an intent."""
    charge, intent = asked.get("charge"), asked.get("payment_intent")

    def keep(one: Thing) -> bool:
        return charge in (None, one["charge"]) and intent in (None, one["payment_intent"])

    return of_kind(asked, "dispute", "/v1/disputes", keep)


@route("GET", "/disputes/{}")
def retrieve_dispute(asked: Asked) -> Thing:
    """One dispute."""
    return asked.books.get("dispute", asked.id)
