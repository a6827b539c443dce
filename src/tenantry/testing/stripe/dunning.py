"""What an invoice does by itself: it becomes final, is collected, is tried again, and is given up at last."""

from __future__ import annotations

from tenantry.testing.stripe import invoicing, standing
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.ending import cancelled_at_once
from tenantry.testing.stripe.payments import Outcome
from tenantry.testing.stripe.periods import DAY


def advanced(books: Books, invoice: Thing, at: int) -> None:
    """What an invoice does by itself: a draft is made final and collected after its hour, unless someone was faster."""
    if invoice["status"] != "draft" or not invoice["auto_advance"] or invoice["automatically_finalizes_at"] != at:
        return
    invoicing.finalized(books, invoice)
    if invoice["status"] == "open" and invoice["collection_method"] == "charge_automatically":
        collect_with_retries(books, invoice)


def retried(books: Books, invoice: Thing, at: int) -> None:
    """One of the later attempts."""
    if invoice["status"] == "open" and invoice["next_payment_attempt"] == at:
        collect_with_retries(books, invoice)


def collect_with_retries(books: Books, invoice: Thing) -> Outcome:
    """Try to be paid, and plan the next attempt if that fails."""
    outcome = invoicing.collected(books, invoice)
    if not outcome.paid:
        _plan_retry(books, invoice)
    return outcome


def _plan_retry(books: Books, invoice: Thing) -> None:
    days, count = books.rules.dunning_days, invoice["attempt_count"]
    if count <= len(days):
        next_one = books.now(invoice["customer"]) + days[count - 1] * DAY
        books.change(invoice, next_payment_attempt=next_one)
        books.plan(next_one, "retry", invoice, rank=7)
    else:
        books.change(invoice, next_payment_attempt=None, auto_advance=False)
        _gave_up(books, invoice)


def _gave_up(books: Books, invoice: Thing) -> None:
    subscription = standing.billed(books, invoice)
    if subscription is None or subscription["status"] != "past_due":
        return
    if books.rules.after_dunning == "cancel":
        cancelled_at_once(books, subscription, reason="payment_failed")
    elif books.rules.after_dunning == "unpaid":
        standing.altered(books, subscription, status="unpaid")
