"""The beginning of a subscription: its items, its trial, its first invoice and how that is paid."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import discounts, entitlements, invoicing, items, lines, notices, payment_methods, pending
from tenantry.testing.stripe.books import Books, Thing, merged
from tenantry.testing.stripe.payments import Outcome
from tenantry.testing.stripe.periods import DAY
from tenantry.testing.stripe.wire import Refusal, invalid

END_OF_TRIAL = {"end_behavior": {"missing_payment_method": "create_invoice"}}
_UNSET = (
    "application", "application_fee_percent", "billing_cycle_anchor_config", "billing_thresholds", "cancel_at",
    "canceled_at", "days_until_due", "default_source", "description", "ended_at", "latest_invoice",
    "next_pending_invoice_item_invoice", "on_behalf_of", "pause_collection", "pending_invoice_item_interval",
    "pending_setup_intent", "pending_update", "schedule", "transfer_data",
)  # fmt: skip


def subscribed(books: Books, customer: Thing, given: dict[str, Any], *, authenticated: bool = False) -> Thing:
    """A new subscription; its first invoice is paid as `payment_behavior` says."""
    prices = items.sellable(books, given["items"])
    if customer["currency"] not in (None, prices[0]["currency"]):
        raise invalid(f"You cannot combine currencies on a single customer; it uses {customer['currency']}.", "items")
    subscription = _blank(books, customer, given, prices[0])
    books.put(subscription)
    _fill(books, subscription, given, prices)
    _needs_card(books, subscription, customer, given)
    notices.told(books, "customer.subscription.created", subscription)
    _first_invoice(books, subscription, customer, given, authenticated=authenticated)
    entitlements.refreshed(books, customer["id"])
    return subscription


def _blank(books: Books, customer: Thing, given: dict[str, Any], price: Thing) -> Thing:
    now = books.now(customer["id"])
    trial_end = trial_of(given, now)
    anchor = trial_end or _anchor(given, now)
    card = given.get("default_payment_method")
    if card:
        card = payment_methods.of_customer(books, card, customer["id"], "default_payment_method")["id"]
    return {
        "id": books.new_id("sub", 24),
        "object": "subscription",
        **dict.fromkeys(_UNSET, None),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": anchor,
        "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": given.get("collection_method") or "charge_automatically",
        "created": now,
        "currency": price["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": given.get("days_until_due"),
        "default_payment_method": card,
        "default_tax_rates": [],
        "description": given.get("description"),
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {},
        "livemode": books.livemode,
        "metadata": merged({}, given.get("metadata") or {}),
        "payment_settings": {"payment_method_options": None, "payment_method_types": None,
                             "save_default_payment_method": "off", **(given.get("payment_settings") or {})},
        "start_date": now,
        "status": "trialing" if trial_end else "incomplete",
        "test_clock": customer["test_clock"],
        "trial_end": trial_end,
        "trial_settings": given.get("trial_settings") or END_OF_TRIAL,
        "trial_start": now if trial_end else None,
    }  # fmt: skip


def trial_of(given: dict[str, Any], now: int) -> int | None:
    """When the trial ends, if there is one."""
    end, days = given.get("trial_end"), given.get("trial_period_days")
    if end is not None and days is not None:
        raise invalid("You can't set both trial_end and trial_period_days.", "trial_end")
    if days is not None:
        if not 0 <= days <= 730:
            raise invalid("Invalid trial_period_days: at most 730.", "trial_period_days")
        return now + days * DAY if days else None
    if end is None or end == "now":
        return None
    if not isinstance(end, int) or not now < end <= now + 5 * 366 * DAY:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", "trial_end")
    return end


def _anchor(given: dict[str, Any], now: int) -> int:
    anchor = given.get("billing_cycle_anchor")
    if anchor is None:
        return now
    if not isinstance(anchor, int) or anchor <= now:
        raise invalid("billing_cycle_anchor must be in the future.", "billing_cycle_anchor")
    return anchor


def _fill(books: Books, subscription: Thing, given: dict[str, Any], prices: list[Thing]) -> None:
    id_, now = subscription["id"], subscription["created"]
    period = items.first_period(prices[0], now, subscription["billing_cycle_anchor"], subscription["trial_end"])
    data = [items.added(books, id_, price, one, period) for price, one in zip(prices, given["items"], strict=True)]
    books.change(subscription, items=items.listed(id_, data))
    wanted = given.get("discounts") or []
    books.change(subscription, discounts=discounts.redeemed(books, wanted, subscription["customer"], id_))
    cancels(books, subscription, given)
    books.plan(period[1], "renew", subscription)
    trial_noticed(books, subscription)


def cancels(books: Books, subscription: Thing, given: dict[str, Any]) -> None:
    """Set or take back the end that is planned."""
    now, end = books.now(subscription["customer"]), subscription["items"]["data"][0]["current_period_end"]
    if given.get("cancel_at_period_end") is not None:
        wanted = given["cancel_at_period_end"]
        reason = {**subscription["cancellation_details"], "reason": "cancellation_requested" if wanted else None}
        fields = {"cancel_at": end, "canceled_at": now} if wanted else {"cancel_at": None, "canceled_at": None}
        books.change(subscription, cancel_at_period_end=wanted, cancellation_details=reason, **fields)
    elif "cancel_at" in given:
        at = given["cancel_at"]
        at = end if at in ("min_period_end", "max_period_end") else at
        if at is not None and at <= now:
            raise invalid("cancel_at must be in the future.", "cancel_at")
        books.change(subscription, cancel_at=at, canceled_at=now if at else None, cancel_at_period_end=False)
        if at is not None:
            books.plan(at, "cancel", subscription, rank=1)


def trial_noticed(books: Books, subscription: Thing) -> None:
    """Have the customer told three days before the trial ends."""
    end = subscription["trial_end"]
    if end:
        books.plan(max(end - 3 * DAY, books.now(subscription["customer"])), "trial_will_end", subscription, rank=3)


def _needs_card(books: Books, subscription: Thing, customer: Thing, given: dict[str, Any]) -> None:
    free = all(lines.cost(one["price"], one["quantity"]) == 0 for one in subscription["items"]["data"])
    if subscription["trial_end"] or free or subscription["collection_method"] == "send_invoice":
        return
    has_card = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if not has_card and given.get("payment_behavior") != "default_incomplete":
        message = "This customer has no attached payment source or default payment method."
        raise invalid(message, code="resource_missing")


def _first_invoice(
    books: Books, subscription: Thing, customer: Thing, given: dict[str, Any], *, authenticated: bool
) -> None:
    invoice = invoicing.finalized(books, first_draft(books, subscription, customer))
    if subscription["collection_method"] == "send_invoice":
        due = invoice["created"] + (subscription["days_until_due"] or 30) * DAY
        books.change(invoice, due_date=due)
        books.change(subscription, status="trialing" if subscription["trial_end"] else "active")
        return
    books.plan(subscription["created"] + books.rules.incomplete_seconds, "incomplete", subscription)
    if invoice["status"] != "paid" and given.get("payment_behavior") != "default_incomplete":
        _decided(invoicing.collected(books, invoice, authenticated=authenticated), given, invoice)


def first_draft(books: Books, subscription: Thing, customer: Thing) -> Thing:
    """The draft of the first invoice: the first period, or a trial for nothing."""
    data = subscription["items"]["data"]
    start, end = data[0]["current_period_start"], data[0]["current_period_end"]
    trial = bool(subscription["trial_end"])
    shown = [lines.of_period(books, one, start, end, trial=trial) for one in data]
    if subscription["billing_cycle_anchor"] > start and not trial:
        shown = [_shortened(one, data[place], start, end) for place, one in enumerate(shown)]
    waiting = pending.waiting(books, subscription)
    shown += [lines.of_pending(books, one) for one in waiting]
    invoice = invoicing.drafted(books, customer, "subscription_create", shown, subscription=subscription)
    pending.billed(books, waiting, invoice)
    return invoice


def _shortened(line: Thing, item: Thing, start: int, end: int) -> Thing:
    # a first period that ends at an anchor costs the part of the interval that it lasts
    interval, count = items.rhythm(item["price"])
    days = {"day": 1, "week": 7, "month": 30.4375, "year": 365.25}[interval] * count
    amount = round(line["amount"] * min(1, (end - start) / (days * DAY)))
    return {**line, "amount": amount, "subtotal": amount}


def _decided(outcome: Outcome, given: dict[str, Any], invoice: Thing) -> None:
    if outcome.paid or given.get("payment_behavior") != "error_if_incomplete":
        return
    raise refusal(outcome)


def refusal(outcome: Outcome, *, keep: bool = False) -> Exception:
    """The error that stands for an attempt that failed."""
    if outcome.waits:
        return Refusal(
            402,
            "This payment requires additional user action before it can be completed successfully.",
            kind="card_error",
            code="subscription_payment_intent_requires_action",
            decline_code="authentication_required",
            keep=keep,
        )
    if outcome.decline == invoicing.NO_CARD:
        message = "There is no `default_payment_method` set on this Customer or Invoice."
        return Refusal(400, message, code="resource_missing", keep=keep)
    return payment_methods.declined(outcome.decline, keep=keep, charge=(outcome.charge or {}).get("id"))
