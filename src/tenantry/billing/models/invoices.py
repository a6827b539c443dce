"""Invoices as they are kept."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from tenantry.billing.models.subscriptions import moment
from tenantry.billing.stripe import shapes


class Invoice(msgspec.Struct, frozen=True):
    """An invoice of an organization, as Stripe had it when it was last asked; amounts in the currency's smallest unit.

    `refunded` and `disputed` are said by its payments, which are asked for apart.
    """

    id: str
    customer_id: str
    subscription_id: str | None
    number: str | None
    status: str
    currency: str
    total: int
    amount_due: int
    amount_paid: int
    amount_remaining: int
    attempts: int
    next_attempt_at: datetime | None
    hosted_url: str | None
    pdf_url: str | None
    due_at: datetime | None
    paid_at: datetime | None
    created_at: datetime
    refunded: int = 0
    disputed: bool = False
    fetched: int = 0
    paid_with: int = 0


def repaid(known: Invoice, payment: shapes.Payment | None, *, asked: int) -> Invoice:
    """What was known of an invoice, with what became of its payment, if nobody asked for that later."""
    if payment is None or asked < known.paid_with:
        return known
    return msgspec.structs.replace(known, refunded=payment.refunded, disputed=payment.disputed, paid_with=asked)


def as_kept(
    told: shapes.Invoice,
    customer_id: str,
    known: Invoice | None,
    *,
    fetched: int,
    payment: shapes.Payment | None = None,
) -> Invoice:
    """The row that what Stripe said makes; without a word about its payment, what was known of that stays."""
    refunded, disputed, paid_with = (
        (0, False, 0) if known is None else (known.refunded, known.disputed, known.paid_with)
    )
    if payment is not None and fetched >= paid_with:
        refunded, disputed, paid_with = payment.refunded, payment.disputed, fetched
    return Invoice(
        id=told.id,
        customer_id=customer_id,
        subscription_id=told.subscription_id,
        number=told.number,
        status=told.status or "draft",
        currency=told.currency,
        total=told.total,
        amount_due=told.amount_due,
        amount_paid=told.amount_paid,
        amount_remaining=told.amount_remaining,
        attempts=told.attempt_count,
        next_attempt_at=moment(told.next_payment_attempt),
        hosted_url=told.hosted_invoice_url,
        pdf_url=told.invoice_pdf,
        due_at=moment(told.due_date),
        paid_at=moment(told.status_transitions.paid_at),
        created_at=datetime.fromtimestamp(told.created, tz=UTC),
        refunded=refunded,
        disputed=disputed,
        fetched=fetched,
        paid_with=paid_with,
    )
