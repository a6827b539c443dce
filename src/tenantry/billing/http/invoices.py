"""Invoices over HTTP."""

from __future__ import annotations

from typing import Literal

from tenantry.billing import queries
from tenantry.billing.http.shapes import Instant, routes
from tenantry.billing.models import Invoice
from tenantry.billing.permissions import BILLING_READ
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork

PAID = {
    "id": "in_1QxT2eLkdIwHu7ix",
    "number": "A1B2C3D4-0001",
    "status": "paid",
    "currency": "eur",
    "total": 3600,
    "amount_due": 3600,
    "amount_paid": 3600,
    "refunded": 0,
    "disputed": False,
    "created_at": "2026-01-02T03:04:05Z",
    "due_at": None,
    "paid_at": "2026-01-02T03:04:07Z",
    "hosted_url": "https://invoice.stripe.com/i/acct_1/test_a1",
    "pdf_url": "https://pay.stripe.com/invoice/acct_1/test_a1/pdf",
}


class InvoiceView(Wire):
    """An invoice, by Stripe's id; amounts in the smallest unit of its currency. It is looked at on Stripe's pages."""

    id: str
    number: str | None
    status: str
    currency: str
    total: int
    amount_due: int
    amount_paid: int
    refunded: int
    disputed: bool
    created_at: Instant
    due_at: Instant | None
    paid_at: Instant | None
    hosted_url: str | None
    pdf_url: str | None


class InvoiceQuery(ListQuery):
    """In which order: the newest first."""

    order: Literal["-created_at"] = "-created_at"


class InvoiceList(ListAnswer):
    """A part of the list of invoices."""

    items: list[InvoiceView]


@routes.get("/orgs/{org}/billing/invoices", requires=BILLING_READ, answer_example={"items": [PAID], "next": None})
async def invoices(work: OrgWork, query: InvoiceQuery) -> InvoiceList:
    """What the organization was billed, the newest first."""
    found, after = await queries.invoices.read(work, query)
    return InvoiceList(items=[_shown(invoice) for invoice in found], next=after)


def _shown(invoice: Invoice) -> InvoiceView:
    return InvoiceView(
        id=invoice.id, number=invoice.number, status=invoice.status, currency=invoice.currency, total=invoice.total,
        amount_due=invoice.amount_due, amount_paid=invoice.amount_paid, refunded=invoice.refunded,
        disputed=invoice.disputed, created_at=invoice.created_at, due_at=invoice.due_at, paid_at=invoice.paid_at,
        hosted_url=invoice.hosted_url, pdf_url=invoice.pdf_url,
    )  # fmt: skip
