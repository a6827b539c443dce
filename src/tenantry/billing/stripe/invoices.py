"""Invoices and what was paid for them."""

from __future__ import annotations

from tenantry.billing.stripe.account import account, checked
from tenantry.billing.stripe.shapes import (
    Charge,
    Invoice,
    InvoicePayment,
    Listed,
    Payment,
    PaymentIntent,
    Refund,
)
from tenantry.foundation.runtime import Runtime

A_PAGE = 100


async def fetch_invoice(runtime: Runtime, invoice_id: str) -> Invoice:
    """An invoice as it is now."""
    return await account(runtime).ask("get", checked(f"invoices/{invoice_id}"), Invoice)


async def fetch_payment(runtime: Runtime, payment_intent_id: str) -> Payment:
    """What became of a payment, and which invoices it was for."""
    intent = await account(runtime).ask(
        "get", checked(f"payment_intents/{payment_intent_id}"), PaymentIntent, expand=["latest_charge"]
    )
    of: Listed[InvoicePayment] = await account(runtime).ask(
        "get", "invoice_payments", Listed[InvoicePayment],
        payment={"type": "payment_intent", "payment_intent": payment_intent_id},
    )  # fmt: skip
    charge = intent.latest_charge if isinstance(intent.latest_charge, Charge) else None
    return Payment(
        id=intent.id,
        customer=intent.customer,
        invoices=tuple(dict.fromkeys(one.invoice for one in of.data)),
        refunded=0 if charge is None else charge.amount_refunded,
        disputed=charge is not None and charge.disputed,
    )


async def invoices_of(runtime: Runtime, subscription_id: str) -> list[Invoice]:
    """Every invoice of a subscription, the newest first."""
    found: list[Invoice] = []
    while True:
        page: Listed[Invoice] = await account(runtime).ask(
            "get", "invoices", Listed[Invoice], subscription=subscription_id, limit=A_PAGE,
            starting_after=found[-1].id if found else None,
        )  # fmt: skip
        found += page.data
        if not page.has_more or not page.data:
            return found


async def payments_of(runtime: Runtime, invoice_id: str) -> list[InvoicePayment]:
    """The payments that were made for an invoice."""
    paid: Listed[InvoicePayment] = await account(runtime).ask(
        "get", "invoice_payments", Listed[InvoicePayment], invoice=invoice_id, status="paid"
    )
    return paid.data


async def refund_payment(
    runtime: Runtime, payment_intent_id: str, *, key: str, amount: int | None = None, reason: str | None = None
) -> Refund:
    """Give a payment back, or so much of it."""
    return await account(runtime).ask(
        "post", "refunds", Refund, key=key, payment_intent=payment_intent_id, amount=amount, reason=reason
    )
