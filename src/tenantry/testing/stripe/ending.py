"""The end of a subscription."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import entitlements, notices, payments
from tenantry.testing.stripe.books import Books, Thing, copied
from tenantry.testing.stripe.standing import ENDED


def cancelled_at_once(books: Books, subscription: Thing, *, reason: str | None = None, **details: Any) -> Thing:
    """End a subscription now; what is still open of it is not collected by itself any more."""
    if subscription["status"] in ENDED:
        return subscription
    now = books.now(subscription["customer"])
    told = {**(subscription["cancellation_details"] or {}), **({"reason": reason} if reason else {}), **details}
    status = "incomplete_expired" if subscription["status"] == "incomplete" else "canceled"
    books.change(
        subscription,
        status=status,
        canceled_at=subscription["canceled_at"] or now,
        ended_at=now,
        cancellation_details=told,
        pause_collection=None,
    )
    _stop_collecting(books, subscription)
    _end_schedule(books, subscription)
    notices.told(books, "customer.subscription.deleted", subscription)
    entitlements.refreshed(books, subscription["customer"])
    return subscription


def expired(books: Books, subscription: Thing, at: int) -> None:
    """The first payment never came."""
    if subscription["status"] != "incomplete" or subscription["created"] + books.rules.incomplete_seconds > at:
        return
    before = copied(subscription)
    books.change(subscription, status="incomplete_expired", ended_at=at)
    _stop_collecting(books, subscription, void=True)
    notices.changed(books, "customer.subscription.updated", subscription, before)


def _stop_collecting(books: Books, subscription: Thing, *, void: bool = False) -> None:
    never_began = subscription["status"] == "incomplete_expired"
    for invoice in books.newest_first("invoice", subscription["customer"]):
        details = (invoice["parent"] or {}).get("subscription_details") or {}
        if details.get("subscription") != subscription["id"] or invoice["status"] not in ("open", "draft"):
            continue
        books.change(invoice, auto_advance=False, next_payment_attempt=None, automatically_finalizes_at=None)
        if (void or never_began) and invoice["status"] == "open":
            voided(books, invoice)


def voided(books: Books, invoice: Thing) -> None:
    """Nobody owes this any more."""
    intent = books.find("payment_intent", books.secrets.get(f"intent:{invoice['id']}"))
    now = books.now(invoice["customer"])
    transitions = {**invoice["status_transitions"], "voided_at": now}
    books.change(invoice, status="void", status_transitions=transitions, auto_advance=False, next_payment_attempt=None)
    if intent is not None:
        payments.cancelled(books, intent)
    notices.told(books, "invoice.voided", invoice)


def _end_schedule(books: Books, subscription: Thing) -> None:
    schedule = books.find("subscription_schedule", subscription["schedule"])
    if schedule is not None and schedule["status"] in ("active", "not_started"):
        books.change(schedule, status="canceled", canceled_at=books.now(subscription["customer"]), current_phase=None)
        notices.told(books, "subscription_schedule.canceled", schedule)
