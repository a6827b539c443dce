"""Schedules: what a subscription will be, phase after phase, and what becomes of it after the last."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import changing, customers, notices, phases, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.ending import cancelled_at_once
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.standing import ENDED, period_of
from tenantry.testing.stripe.subscribing import subscribed
from tenantry.testing.stripe.subscriptions import PRORATION, cancelled
from tenantry.testing.stripe.wire import invalid

KIND = "subscription_schedule"
FIELDS: shapes.Readers = {
    "phases": shapes.each(phases.PHASE),
    "end_behavior": shapes.one_of("release", "cancel"),
    "default_settings": shapes.anything,
    "metadata": shapes.metadata,
}


@route("POST", "/subscription_schedules", **FIELDS, from_subscription=shapes.text, customer=shapes.text,
       start_date=shapes.moment, billing_mode=shapes.anything)  # fmt: skip
def create(asked: Asked) -> Thing:
    """A schedule for a subscription that lives, or for one to come."""
    books = asked.books
    if asked.get("from_subscription"):
        return _taken_over(books, books.get("subscription", asked.params["from_subscription"], "from_subscription"))
    if not asked.get("customer") or not asked.get("phases"):
        raise invalid("Missing required param: phases.", "phases", "parameter_missing")
    customer = customers.living(books, asked.params["customer"], "customer")
    now, start = books.now(customer["id"]), asked.get("start_date", "now")
    schedule = _new(books, customer["id"], asked.get("end_behavior", "release"), asked.get("metadata", {}))
    books.change(schedule, phases=phases.planned(books, asked.params["phases"], now if start == "now" else start))
    notices.told(books, "subscription_schedule.created", schedule)
    _begin(books, schedule)
    return schedule


def _taken_over(books: Books, subscription: Thing) -> Thing:
    if subscription["schedule"] or subscription["status"] in ENDED:
        raise invalid("You cannot migrate a subscription that has a schedule or has ended.", "from_subscription")
    schedule = _new(books, subscription["customer"], "release", {})
    start, end = period_of(subscription)
    data = subscription["items"]["data"]
    now_on = {"items": [{"price": one["price"]["id"], "quantity": one["quantity"]} for one in data]}
    phase = phases.phase_of(books, now_on, start, end)
    books.change(
        schedule,
        phases=[{**phase, "trial_end": subscription["trial_end"]}],
        subscription=subscription["id"],
        status="active",
        current_phase={"start_date": start, "end_date": end},
    )
    books.change(subscription, schedule=schedule["id"])
    books.plan(end, "phase", schedule, rank=2)
    notices.told(books, "subscription_schedule.created", schedule)
    return schedule


def _new(books: Books, customer: str, end_behavior: str, metadata: dict[str, str]) -> Thing:
    invoice_settings = {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}}
    unset = ("application", "canceled_at", "completed_at", "current_phase", "released_at", "released_subscription",
             "subscription", "customer_account")  # fmt: skip
    return books.put(
        {
            "id": books.new_id("sub_sched", 24),
            "object": KIND,
            **dict.fromkeys(unset, None),
            "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
            "created": books.now(customer),
            "customer": customer,
            "default_settings": {
                "application_fee_percent": None,
                "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
                "billing_cycle_anchor": "automatic",
                "billing_thresholds": None,
                "collection_method": "charge_automatically",
                "default_payment_method": None,
                "default_source": None,
                "description": None,
                "invoice_settings": invoice_settings,
                "on_behalf_of": None,
                "transfer_data": None,
            },
            "end_behavior": end_behavior,
            "livemode": books.livemode,
            "metadata": merged({}, metadata),
            "pause_schedules": [],
            "phases": [],
            "status": "not_started",
            "test_clock": books.clock_of(customer) or None,
        }
    )


@route("GET", "/subscription_schedules", lists=True, customer=shapes.text, created=shapes.span,
       scheduled=shapes.flag)  # fmt: skip
def list_schedules(asked: Asked) -> Thing:
    """Schedules of a customer."""
    return of_kind(asked, KIND, "/v1/subscription_schedules")


@route("GET", "/subscription_schedules/{}")
def retrieve(asked: Asked) -> Thing:
    """One schedule."""
    return asked.books.get(KIND, asked.id)


@route("POST", "/subscription_schedules/{}", **FIELDS, proration_behavior=PRORATION)
def update(asked: Asked) -> Thing:
    """Other phases; the current one has to be among them."""
    books, schedule = asked.books, _living(asked)
    before = copied(schedule)
    if "metadata" in asked.params:
        books.change(schedule, metadata=merged(schedule["metadata"], asked.params["metadata"]))
    if asked.get("end_behavior"):
        books.change(schedule, end_behavior=asked.params["end_behavior"])
    if asked.get("phases"):
        _replan(books, schedule, asked.params["phases"])
    notices.changed(books, "subscription_schedule.updated", schedule, before)
    return schedule


def _replan(books: Books, schedule: Thing, given: list[dict[str, Any]]) -> None:
    current = schedule["current_phase"]
    first = current["start_date"] if current else schedule["phases"][0]["start_date"]
    wanted = phases.planned(books, given, first)
    if current and wanted[0]["start_date"] != first:
        raise invalid("The first phase has to be the current one, with its start_date.", "phases[0][start_date]")
    books.change(schedule, phases=wanted)
    if current:
        now = books.now(schedule["customer"])
        _enter(books, schedule, next((one for one in wanted if one["end_date"] > now), wanted[-1]))


def _enter(books: Books, schedule: Thing, phase: Thing) -> None:
    current = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
    books.change(schedule, status="active", current_phase=current)
    books.plan(phase["end_date"], "phase", schedule, rank=2)
    subscription = books.find("subscription", schedule["subscription"])
    if subscription is not None:
        _apply(books, subscription, phase)


def _apply(books: Books, subscription: Thing, phase: Thing) -> None:
    data = subscription["items"]["data"]
    wanted = [(one["price"], one["quantity"]) for one in phase["items"]]
    if [(one["price"]["id"], one["quantity"]) for one in data] == wanted:
        return
    goals: list[dict[str, Any]] = []
    for place, (price, quantity) in enumerate(wanted):
        same = {"id": data[place]["id"]} if place < len(data) else {}
        goals.append({**same, "price": price, "quantity": quantity})
    goals += [{"id": one["id"], "deleted": True} for one in data[len(wanted) :]]
    given = {"items": goals, "proration_behavior": phase["proration_behavior"]}
    # at the end of a period nothing is unused, and the renewal that follows bills what is new
    if period_of(subscription)[1] == books.now(subscription["customer"]):
        given["proration_behavior"] = "none"
    changing.altered(books, subscription, given)


def _begin(books: Books, schedule: Thing) -> None:
    first, now = schedule["phases"][0], books.now(schedule["customer"])
    if first["start_date"] > now:
        books.plan(first["start_date"], "phase", schedule, rank=2)
        return
    customer = books.get("customer", schedule["customer"])
    subscription = subscribed(books, customer, {"items": first["items"], "metadata": first["metadata"]})
    books.change(subscription, schedule=schedule["id"])
    books.change(schedule, subscription=subscription["id"])
    _enter(books, schedule, first)


def moved_on(books: Books, schedule: Thing, at: int) -> None:
    """A phase begins, or the last has ended."""
    if schedule["status"] == "not_started":
        if schedule["phases"][0]["start_date"] == at:
            _begin(books, schedule)
        return
    if schedule["status"] != "active" or (schedule["current_phase"] or {}).get("end_date") != at:
        return
    before = copied(schedule)
    following = next((one for one in schedule["phases"] if one["start_date"] == at), None)
    if following is None:
        _end(books, schedule)
    else:
        _enter(books, schedule, following)
        notices.changed(books, "subscription_schedule.updated", schedule, before)


def _end(books: Books, schedule: Thing) -> None:
    if schedule["end_behavior"] == "release":
        _let_go(books, schedule)
        return
    subscription = books.find("subscription", schedule["subscription"])
    now = books.now(schedule["customer"])
    books.change(schedule, status="completed", completed_at=now, current_phase=None)
    notices.told(books, "subscription_schedule.completed", schedule)
    if subscription is not None:
        cancelled_at_once(books, subscription)


def _let_go(books: Books, schedule: Thing) -> None:
    subscription, now = books.find("subscription", schedule["subscription"]), books.now(schedule["customer"])
    books.change(
        schedule,
        status="released",
        released_at=now,
        current_phase=None,
        released_subscription=schedule["subscription"],
        subscription=None,
    )
    if subscription is not None:
        before = copied(subscription)
        books.change(subscription, schedule=None)
        notices.changed(books, "customer.subscription.updated", subscription, before)
    notices.told(books, "subscription_schedule.released", schedule)


@route("POST", "/subscription_schedules/{}/release", preserve_cancel_date=shapes.flag)
def release(asked: Asked) -> Thing:
    """Let the subscription go on as it is, without a schedule."""
    schedule = _living(asked)
    _let_go(asked.books, schedule)
    return schedule


@route("POST", "/subscription_schedules/{}/cancel", invoice_now=shapes.flag, prorate=shapes.flag)
def cancel(asked: Asked) -> Thing:
    """End the schedule, and its subscription with it."""
    books, schedule = asked.books, _living(asked)
    subscription = books.find("subscription", schedule["subscription"])
    if subscription is not None:
        cancelled(books, subscription, asked.params)
    else:
        books.change(schedule, status="canceled", canceled_at=books.now(schedule["customer"]))
        notices.told(books, "subscription_schedule.canceled", schedule)
    return schedule


def _living(asked: Asked) -> Thing:
    schedule = asked.books.get(KIND, asked.id)
    if schedule["status"] not in ("active", "not_started"):
        raise invalid(f"This schedule is {schedule['status']}; it cannot be changed any more.")
    return schedule
