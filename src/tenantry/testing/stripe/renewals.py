"""What time does to subscriptions: trials end, periods are renewed, planned ends come."""

from __future__ import annotations

from tenantry.testing.stripe import (
    discounts,
    dunning,
    entitlements,
    invoicing,
    items,
    lines,
    notices,
    pending,
    periods,
    standing,
)
from tenantry.testing.stripe.books import Books, Thing, copied
from tenantry.testing.stripe.changing import paused
from tenantry.testing.stripe.ending import cancelled_at_once
from tenantry.testing.stripe.periods import DAY
from tenantry.testing.stripe.standing import ENDED, period_of


def renewed(books: Books, subscription: Thing, at: int) -> None:
    """The end of a period: the next one begins, unless this was the last."""
    if subscription["status"] in (*ENDED, "incomplete", "paused") or period_of(subscription)[1] != at:
        return
    if subscription["cancel_at_period_end"]:
        cancelled_at_once(books, subscription)
        return
    if subscription["status"] == "trialing" and _ends_without_card(books, subscription):
        return
    _next_period(books, subscription, at)


def _ends_without_card(books: Books, subscription: Thing) -> bool:
    customer = books.get("customer", subscription["customer"])
    if subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]:
        return False
    settings = subscription["trial_settings"] or {}
    behavior = (settings.get("end_behavior") or {}).get("missing_payment_method", "create_invoice")
    if behavior == "cancel":
        cancelled_at_once(books, subscription)
    elif behavior == "pause":
        before = copied(subscription)
        books.change(subscription, status="paused")
        notices.changed(books, "customer.subscription.updated", subscription, before)
        notices.told(books, "customer.subscription.paused", subscription)
        entitlements.refreshed(books, subscription["customer"])
    return behavior in ("cancel", "pause")


def _next_period(books: Books, subscription: Thing, at: int) -> None:
    before = copied(subscription)
    anchor, price = subscription["billing_cycle_anchor"], subscription["items"]["data"][0]["price"]
    was_trial = subscription["status"] == "trialing"
    items.moved(books, subscription, at, periods.end_of(anchor, at, *items.rhythm(price)))
    if was_trial:
        books.change(subscription, status="active")
    else:
        books.change(subscription, discounts=discounts.still_good(books, subscription["discounts"], at))
    invoice = drawn(books, subscription)
    notices.changed(books, "customer.subscription.updated", subscription, before)
    entitlements.refreshed(books, subscription["customer"])
    _send_off(books, subscription, invoice)


def drawn(books: Books, subscription: Thing, reason: str = "subscription_cycle") -> Thing:
    """The draft for the current period, with what waited for it."""
    customer = books.get("customer", subscription["customer"])
    start, end = period_of(subscription)
    waiting = pending.waiting(books, subscription)
    shown = [lines.of_pending(books, one) for one in waiting]
    shown += [lines.of_period(books, one, start, end) for one in subscription["items"]["data"]]
    invoice = invoicing.drafted(books, customer, reason, shown, subscription=subscription, period=(start, start))
    pending.billed(books, waiting, invoice)
    return invoice


def _send_off(books: Books, subscription: Thing, invoice: Thing) -> None:
    if subscription["pause_collection"]:
        paused(books, invoice, subscription["pause_collection"]["behavior"])
    elif subscription["status"] == "unpaid":
        books.change(invoice, auto_advance=False)
    else:
        at = invoice["created"] + books.rules.draft_seconds
        books.change(invoice, automatically_finalizes_at=at)
        books.plan(at, "finalize", invoice, rank=6)


def warned(books: Books, subscription: Thing, at: int) -> None:
    """Three days before a trial ends, its customer is told, once."""
    end = subscription["trial_end"]
    if subscription["status"] != "trialing" or end is None or end - 3 * DAY > at:
        return
    if books.secrets.get(f"warned:{subscription['id']}") != end:
        books.keep(f"warned:{subscription['id']}", end)
        notices.told(books, "customer.subscription.trial_will_end", subscription)


def cancelled(books: Books, subscription: Thing, at: int) -> None:
    """The instant of `cancel_at` has come."""
    if subscription["cancel_at"] == at and not subscription["cancel_at_period_end"]:
        cancelled_at_once(books, subscription)


def collects_again(books: Books, subscription: Thing, at: int) -> None:
    """A pause of collection is over."""
    if (subscription["pause_collection"] or {}).get("resumes_at") == at:
        standing.altered(books, subscription, pause_collection=None)


def resumed(books: Books, subscription: Thing) -> Thing:
    """A paused subscription begins a new period; it is active once that is paid."""
    now = books.now(subscription["customer"])
    end = periods.end_of(now, now, *items.rhythm(subscription["items"]["data"][0]["price"]))
    books.change(subscription, billing_cycle_anchor=now)
    items.moved(books, subscription, now, end)
    invoice = invoicing.finalized(books, drawn(books, subscription, "subscription_update"))
    if invoice["status"] == "open":
        dunning.collect_with_retries(books, invoice)
    if subscription["status"] == "active":
        notices.told(books, "customer.subscription.resumed", subscription)
    return subscription
