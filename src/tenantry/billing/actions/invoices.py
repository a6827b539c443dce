"""How an invoice's row becomes what Stripe said, and what is recorded of that."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.billing import queries
from tenantry.billing.events import InvoicePaid, PaymentFailed, PaymentReversed
from tenantry.billing.models import Invoice, Truth, invoices
from tenantry.billing.stripe import shapes
from tenantry.foundation.data.sql import run
from tenantry.foundation.work import SystemWork

UNPAID = frozenset(("past_due", "unpaid", "incomplete", "incomplete_expired", "canceled"))
"""What a subscription is whose invoice was tried in vain; until then a payment that takes its time may still come."""

put_invoice = run("""
    insert into tenantry.invoices
           (org_id, id, customer_id, subscription_id, number, status, currency, total, amount_due, amount_paid,
            amount_remaining, attempts, next_attempt_at, hosted_url, pdf_url, due_at, paid_at, created_at, refunded,
            disputed, fetched, paid_with)
    values (:org_id, :id, :customer_id, :subscription_id, :number, :status, :currency, :total, :amount_due,
            :amount_paid, :amount_remaining, :attempts, :next_attempt_at, :hosted_url, :pdf_url, :due_at, :paid_at,
            :created_at, :refunded, :disputed, :fetched, :paid_with)
        on conflict (org_id, id) do update
       set subscription_id = excluded.subscription_id, number = excluded.number, status = excluded.status,
           total = excluded.total, amount_due = excluded.amount_due, amount_paid = excluded.amount_paid,
           amount_remaining = excluded.amount_remaining, attempts = excluded.attempts,
           next_attempt_at = excluded.next_attempt_at, hosted_url = excluded.hosted_url, pdf_url = excluded.pdf_url,
           due_at = excluded.due_at, paid_at = excluded.paid_at, refunded = excluded.refunded,
           disputed = excluded.disputed, fetched = excluded.fetched, paid_with = excluded.paid_with,
           fetched_at = tenantry.now()
""")


async def keep_invoice(work: SystemWork, org_id: UUID, told: shapes.Invoice, truth: Truth) -> bool:
    """Keep what Stripe said of an invoice, the organization's customer held; whether anything is new."""
    known = await queries.invoice_of_org(work, org_id=org_id, id=told.id)
    if known is not None and known.fetched > truth.asked:
        # the invoice is told too late; what became of its payment is another question, which may not be
        row = invoices.repaid(known, truth.payment, asked=truth.asked)
    else:
        customer_id = shapes.id_of(told.customer) or truth.customer_id or ""
        row = invoices.as_kept(told, customer_id, known, fetched=truth.asked, payment=truth.payment)
    if row == known:
        return False
    if row.status == "open" and not _in_vain(truth):
        # a payment that takes its time is no failed one; should it fail, its number is the same
        row = msgspec.structs.replace(row, attempts=0 if known is None else known.attempts)
    await put_invoice(work, org_id=org_id, **msgspec.structs.asdict(row))
    if row.status == "paid" and (known is None or known.status != "paid"):
        work.record(_paid(org_id, row))
    if _failed_anew(row, known, truth):
        work.record(_failed(org_id, row))
    if (row.refunded, row.disputed) != ((0, False) if known is None else (known.refunded, known.disputed)):
        work.record(_reversed(org_id, row))
    return known is None or _plain(known) != _plain(row)


def _failed_anew(row: Invoice, known: Invoice | None, truth: Truth) -> bool:
    tried = row.attempts > (0 if known is None else known.attempts)
    return row.status == "open" and row.amount_remaining > 0 and tried and _in_vain(truth)


def _in_vain(truth: Truth) -> bool:
    return truth.subscription is None or truth.subscription.status in UNPAID


def _plain(row: Invoice) -> Invoice:
    return msgspec.structs.replace(row, fetched=0, paid_with=0)


def _paid(org_id: UUID, row: Invoice) -> InvoicePaid:
    return InvoicePaid(
        org_id=org_id, invoice=row.id, subscription=row.subscription_id, amount=row.amount_paid, currency=row.currency
    )


def _failed(org_id: UUID, row: Invoice) -> PaymentFailed:
    return PaymentFailed(
        org_id=org_id, invoice=row.id, subscription=row.subscription_id, amount=row.amount_remaining,
        currency=row.currency, attempts=row.attempts, next_attempt_at=row.next_attempt_at,
    )  # fmt: skip


def _reversed(org_id: UUID, row: Invoice) -> PaymentReversed:
    return PaymentReversed(
        org_id=org_id, invoice=row.id, refunded=row.refunded, disputed=row.disputed, currency=row.currency
    )
