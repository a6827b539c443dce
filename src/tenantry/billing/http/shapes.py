"""What the operations of billing have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from tenantry.billing.actions import policy_of
from tenantry.billing.models import Subscription, ending
from tenantry.billing.models.prices import by_seat
from tenantry.billing.models.subscriptions import version_number
from tenantry.foundation.routes import Routes
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.wire import Wire
from tenantry.plans.settings import PlanSettings

routes = Routes("billing")

Instant = Annotated[datetime, Meta(tz=True)]
IntervalField = Annotated[Literal["month", "year"], Meta(description="How often it is paid for.")]
PlanField = Annotated[str, Meta(max_length=64, description="The key of a plan that is sold.")]
SeatsField = Annotated[int, Meta(ge=1, le=100_000, description="How many seats, where the plan is sold by the seat.")]
SUBSCRIBED = {
    "status": "active",
    "plan": "team",
    "plan_version": 1,
    "interval": "month",
    "seats": 3,
    "currency": "eur",
    "amount": 3600,
    "period_start": "2026-01-02T03:04:05Z",
    "period_end": "2026-02-02T03:04:05Z",
    "trial_end": None,
    "cancel_at": None,
    "cancels": False,
    "past_due_since": None,
    "grace_until": None,
    "later": {"plan": "team", "interval": "month", "seats": 2, "at": "2026-02-02T03:04:05Z"},
}


class LaterView(Wire):
    """What the subscription is from `at` on."""

    plan: str | None
    interval: str | None
    seats: int | None
    at: Instant


class SubscriptionView(Wire):
    """A subscription; `amount` is what a period of it costs, in the smallest unit, without discounts and taxes.

    `cancels`: it ends at `cancel_at` unless somebody lets it go on. While a payment is missing, the plan stays until
    `grace_until`.
    """

    status: str
    plan: str | None
    plan_version: int | None
    interval: str | None
    seats: int | None
    currency: str | None
    amount: int | None
    period_start: Instant | None
    period_end: Instant | None
    trial_end: Instant | None
    cancel_at: Instant | None
    cancels: bool
    past_due_since: Instant | None
    grace_until: Instant | None
    later: LaterView | None


def subscription_view(row: Subscription, runtime: Runtime) -> SubscriptionView:
    """A subscription as members see it."""
    ends, since = ending(row), row.past_due_since
    return SubscriptionView(
        status=row.status,
        plan=row.plan_key,
        plan_version=_number(row.plan_version),
        interval=row.interval,
        seats=row.quantity if _by_seat(runtime, row, row.plan_key, row.plan_version, row.interval) else None,
        currency=row.currency,
        amount=None if row.unit_amount is None else row.unit_amount * row.quantity,
        period_start=row.period_start,
        period_end=row.period_end,
        trial_end=row.trial_end,
        cancel_at=None if row.over else ends,
        cancels=ends is not None and not row.over,
        past_due_since=since,
        grace_until=None if since is None else policy_of(runtime).grace_over(since),
        later=_later(row, runtime),
    )


def _later(row: Subscription, runtime: Runtime) -> LaterView | None:
    if row.later_at is None or row.over:
        return None
    counted = _by_seat(runtime, row, row.later_plan, row.later_version, row.later_interval)
    seats = row.later_quantity if counted else None
    return LaterView(plan=row.later_plan, interval=row.later_interval, seats=seats, at=row.later_at)


def _by_seat(runtime: Runtime, row: Subscription, key: str | None, version: str | None, interval: str | None) -> bool:
    found = None if key is None else runtime.section(PlanSettings).catalogue.plan(key, version_number(version))
    return found is not None and by_seat(found, interval, row.currency)


def _number(version: str | None) -> int | None:
    return None if version is None else version_number(version)
