"""Changes to a living subscription: other prices and quantities with proration, another trial end, a planned end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tenantry.testing.stripe import (
    discounts,
    dunning,
    entitlements,
    invoicing,
    items,
    lines,
    notices,
    payment_methods,
    pending,
    periods,
)
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.standing import ENDED, period_of
from tenantry.testing.stripe.subscribing import cancels, refusal, trial_noticed, trial_of
from tenantry.testing.stripe.wire import invalid

PLAIN = ("description", "collection_method", "days_until_due", "trial_settings", "payment_settings")
AFTER_THE_END = {"metadata", "cancellation_details", "expand"}


@dataclass(slots=True)
class Change:
    """What one update does to money: from when it counts, and whether a new period begins with it."""

    books: Books
    subscription: Thing
    behavior: str
    at: int
    restarts: bool = False

    @property
    def prorates(self) -> bool:
        """Whether unused time is credited."""
        return self.behavior != "none" and self.subscription["status"] not in ("trialing", "incomplete", "paused")


def altered(books: Books, subscription: Thing, given: dict[str, Any]) -> Thing:
    """Change a subscription as an update says."""
    if subscription["status"] in ENDED and set(given) - AFTER_THE_END:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    before = copied(subscription)
    change = Change(
        books,
        subscription,
        given.get("proration_behavior") or "create_prorations",
        given.get("proration_date") or books.now(subscription["customer"]),
    )
    _plainly(books, subscription, given)
    if given.get("items"):
        _items(change, given["items"])
    _cycle(change, given)
    cancels(books, subscription, given)
    bill = _bill(change)
    notices.changed(books, "customer.subscription.updated", subscription, before)
    entitlements.refreshed(books, subscription["customer"])
    if bill is not None:
        _collect(books, subscription, bill, given)
    return subscription


def _plainly(books: Books, subscription: Thing, given: dict[str, Any]) -> None:
    books.change(subscription, **{name: given[name] for name in PLAIN if name in given})
    if "metadata" in given:
        books.change(subscription, metadata=merged(subscription["metadata"], given["metadata"]))
    if "default_payment_method" in given:
        card = given["default_payment_method"]
        if card:
            payment_methods.of_customer(books, card, subscription["customer"], "default_payment_method")
        books.change(subscription, default_payment_method=card)
    if "discounts" in given:
        wanted = discounts.redeemed(books, given["discounts"] or [], subscription["customer"], subscription["id"])
        books.change(subscription, discounts=wanted)
    if "pause_collection" in given:
        _pause(books, subscription, given["pause_collection"])
    if "cancellation_details" in given:
        details = {**subscription["cancellation_details"], **(given["cancellation_details"] or {})}
        books.change(subscription, cancellation_details=details)


def _pause(books: Books, subscription: Thing, pause: dict[str, Any] | None) -> None:
    books.change(subscription, pause_collection={"resumes_at": None, **pause} if pause else None)
    if pause and pause.get("resumes_at"):
        books.plan(pause["resumes_at"], "collect_again", subscription)


def _items(change: Change, given: list[dict[str, Any]]) -> None:
    old = {one["id"]: one for one in change.subscription["items"]["data"]}
    goals = [_goal(change, old, one, f"items[{place}]") for place, one in enumerate(given)]
    touched = {goal[0]["id"] for goal in goals if goal[0] is not None}
    rest = [one["price"] for one in old.values() if one["id"] not in touched]
    after = [*rest, *(goal[1] for goal in goals if goal[1] is not None)]
    if not after:
        raise invalid("A subscription must have at least one active item.", "items")
    items.agreeing(after)
    change.restarts = items.rhythm(after[0]) != items.rhythm(next(iter(old.values()))["price"])
    if change.restarts:
        for untouched in (one for one in old.values() if one["id"] not in touched):
            _credit(change, untouched)
    for item, price, one in goals:
        _move(change, item, price, one)


Goal = tuple[Thing | None, Thing | None, dict[str, Any]]


def _goal(change: Change, old: dict[str, Thing], one: dict[str, Any], inside: str) -> Goal:
    item = None
    if one.get("id"):
        item = old.get(one["id"])
        if item is None:
            raise invalid(f"No such subscription item: '{one['id']}'", f"{inside}[id]", "resource_missing")
    if one.get("deleted"):
        if item is None:
            raise invalid("Only an item that exists can be deleted.", f"{inside}[id]")
        return item, None, one
    if item is not None and one.get("price") in (None, item["price"]["id"]):
        return item, item["price"], one
    return item, items.sellable(change.books, [one])[0], one


def _move(change: Change, item: Thing | None, price: Thing | None, one: dict[str, Any]) -> None:
    books, subscription = change.books, change.subscription
    data = list(subscription["items"]["data"])
    if item is None and price is not None:
        new = items.added(books, subscription["id"], price, one, period_of(subscription))
        books.change(subscription, items=items.listed(subscription["id"], [*data, new]))
        _debit(change, new)
    elif item is not None and price is None:
        _credit(change, item)
        books.remove(item)
        kept = [other for other in data if other["id"] != item["id"]]
        books.change(subscription, items=items.listed(subscription["id"], kept))
    elif item is not None and price is not None:
        _reprice(change, item, price, one)


def _reprice(change: Change, item: Thing, price: Thing, one: dict[str, Any]) -> None:
    quantity = item["quantity"] if one.get("quantity") is None else one["quantity"]
    if "metadata" in one:
        change.books.change(item, metadata=merged(item["metadata"], one["metadata"]))
    if (price["id"], quantity) == (item["price"]["id"], item["quantity"]) and not change.restarts:
        return
    _credit(change, item)
    change.books.change(item, price=price, plan=items.plan(price), quantity=quantity)
    _debit(change, item)


def _credit(change: Change, item: Thing) -> None:
    _prorate(change, item, credit=True)


def credit_rest(change: Change) -> None:
    """Credit what is left of the period, of every item."""
    for item in change.subscription["items"]["data"]:
        _credit(change, item)


def _debit(change: Change, item: Thing) -> None:
    if not change.restarts:
        _prorate(change, item, credit=False)


def _prorate(change: Change, item: Thing, *, credit: bool) -> None:
    if not change.prorates:
        return
    start, end, at = item["current_period_start"], item["current_period_end"], change.at
    at = min(max(at, start), end)
    price, quantity = item["price"], item["quantity"]
    amount = round(lines.cost(price, quantity) * (end - at) / (end - start))
    pending.entered(
        change.books,
        change.subscription["customer"],
        -amount if credit else amount,
        price["currency"],
        price=price,
        quantity=quantity,
        proration=True,
        start=at,
        end=end,
        subscription=change.subscription["id"],
        item=item["id"],
        description=lines.proration_text(change.books, price, quantity, at, credit=credit),
    )


def _cycle(change: Change, given: dict[str, Any]) -> None:
    books, subscription = change.books, change.subscription
    now = books.now(subscription["customer"])
    if given.get("trial_end") not in (None, "now") or given.get("trial_period_days"):
        end = trial_of(given, now)
        books.change(subscription, status="trialing", trial_end=end, billing_cycle_anchor=end)
        books.change(subscription, trial_start=subscription["trial_start"] or now)
        items.moved(books, subscription, now, end or now)
        trial_noticed(books, subscription)
        change.restarts = False
        return
    if given.get("trial_end") == "now" and subscription["status"] == "trialing":
        books.change(subscription, status="active", trial_end=now)
        change.restarts = True
    elif given.get("billing_cycle_anchor") == "now":
        for item in subscription["items"]["data"]:
            _credit(change, item)
        change.restarts = True
    elif subscription["status"] == "trialing":
        change.restarts = False
    if change.restarts:
        restarted(books, subscription, now)


def restarted(books: Books, subscription: Thing, now: int) -> None:
    """A new period begins now, and the next ones are counted from it."""
    end = periods.end_of(now, now, *items.rhythm(subscription["items"]["data"][0]["price"]))
    books.change(subscription, billing_cycle_anchor=now)
    items.moved(books, subscription, now, end)


def _bill(change: Change) -> Thing | None:
    books, subscription = change.books, change.subscription
    waiting = pending.waiting(books, subscription)
    if not change.restarts and not (change.behavior == "always_invoice" and waiting and change.prorates):
        return None
    shown = [lines.of_pending(books, one) for one in waiting]
    if change.restarts:
        shown += [lines.of_period(books, one, *period_of(subscription)) for one in subscription["items"]["data"]]
    customer = books.get("customer", subscription["customer"])
    invoice = invoicing.drafted(books, customer, "subscription_update", shown, subscription=subscription)
    pending.billed(books, waiting, invoice)
    return invoice


def _collect(books: Books, subscription: Thing, invoice: Thing, given: dict[str, Any]) -> None:
    if subscription["pause_collection"]:
        paused(books, invoice, subscription["pause_collection"]["behavior"])
        return
    invoicing.finalized(books, invoice)
    if invoice["status"] != "open" or subscription["collection_method"] == "send_invoice":
        return
    if given.get("payment_behavior") == "error_if_incomplete":
        outcome = invoicing.collected(books, invoice)
        if not outcome.paid:
            raise refusal(outcome)
    elif given.get("payment_behavior") != "default_incomplete":
        dunning.collect_with_retries(books, invoice)


def paused(books: Books, invoice: Thing, behavior: str) -> None:
    """What becomes of an invoice while collection is paused."""
    books.change(invoice, auto_advance=False, automatically_finalizes_at=None)
    if behavior == "void":
        invoicing.finalized(books, invoice)
        invoicing.struck(books, invoice)
    elif behavior == "mark_uncollectible":
        invoicing.finalized(books, invoice)
        invoicing.written_off(books, invoice)
