"""How a subscription stands: its status changes here and nowhere else, and its customer's entitlements with it."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import entitlements, notices
from tenantry.testing.stripe.books import Books, Thing, copied

ENDED = {"canceled", "incomplete_expired"}


def altered(books: Books, subscription: Thing, **fields: Any) -> None:
    """Change a subscription and tell of it."""
    before = copied(subscription)
    books.change(subscription, **fields)
    notices.changed(books, "customer.subscription.updated", subscription, before)
    entitlements.refreshed(books, subscription["customer"])


def recovered(books: Books, invoice: Thing) -> None:
    """What was owed is settled: the subscription is active again, if this was its latest invoice."""
    subscription = billed(books, invoice)
    if subscription is None or subscription["latest_invoice"] != invoice["id"]:
        return
    if subscription["status"] in ("incomplete", "past_due", "unpaid", "paused"):
        altered(books, subscription, status="active")


def overdue(books: Books, invoice: Thing) -> None:
    """A renewal was not paid."""
    subscription = billed(books, invoice)
    if subscription is not None and subscription["status"] in ("active", "trialing"):
        altered(books, subscription, status="past_due")


def billed(books: Books, invoice: Thing) -> Thing | None:
    """The subscription that an invoice is for."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    return books.find("subscription", details.get("subscription"))


def period_of(subscription: Thing) -> tuple[int, int]:
    """The current period; all items share it."""
    item = subscription["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]
