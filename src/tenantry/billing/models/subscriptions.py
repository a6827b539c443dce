"""Subscriptions as they are kept: what Stripe says of one, and which of several counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.billing.stripe import shapes
from tenantry.plans.models import Catalogue, Plan

PLAN, PLAN_VERSION = "tenantry_plan", "tenantry_plan_version"
"""In the metadata of a price at Stripe: the plan that it is of, and which version of that plan."""
OVER = frozenset(("canceled", "incomplete_expired"))
"""Statuses that nothing comes after."""
NOT_LIVE = OVER | {"incomplete"}
"""Statuses in which a subscription keeps no place from another one; what is not known keeps it."""


class Subscription(msgspec.Struct, frozen=True):
    """A subscription of an organization, as Stripe had it when it was last asked.

    `unit_amount` is for one seat where it is to seats; what is `later_` becomes true at `later_at`.
    """

    id: str
    customer_id: str
    status: str
    plan_key: str | None
    plan_version: str | None
    price_id: str | None
    item_id: str | None
    quantity: int
    period_start: datetime | None
    period_end: datetime | None
    trial_end: datetime | None
    cancel_at: datetime | None
    cancel_at_period_end: bool
    ended_at: datetime | None
    past_due_since: datetime | None
    latest_invoice_id: str | None
    collection_paused: bool
    collection_resumes_at: datetime | None
    created_at: datetime
    trial_told_for: datetime | None = None
    duplicate_of: str | None = None
    fetched: int = 0
    interval: str | None = None
    currency: str | None = None
    unit_amount: int | None = None
    schedule_id: str | None = None
    later_price_id: str | None = None
    later_plan: str | None = None
    later_version: str | None = None
    later_interval: str | None = None
    later_quantity: int | None = None
    later_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether it keeps its organization from having another one."""
        return self.status not in NOT_LIVE

    @property
    def over(self) -> bool:
        """Whether nothing comes after it."""
        return self.status in OVER


class Billed(msgspec.Struct, frozen=True):
    """The period that an organization's subscription is billed for."""

    org_id: UUID
    period_start: datetime
    period_end: datetime


_BESIDE = frozenset(("fetched", "trial_told_for", "latest_invoice_id", "schedule_id"))
"""What of a row is no news to anybody."""


def as_kept(told: shapes.Subscription, known: Subscription | None, *, fetched: int) -> Subscription:
    """The row that what Stripe said makes; of what was known, only what Stripe does not say is carried over."""
    item = counted(told)
    price = None if item is None else item.price
    plan = {} if price is None else price.metadata
    return Subscription(
        id=told.id,
        customer_id=told.customer,
        status=told.status,
        plan_key=plan.get(PLAN),
        plan_version=plan.get(PLAN_VERSION),
        price_id=None if price is None else price.id,
        item_id=None if item is None else item.id,
        quantity=1 if item is None or item.quantity is None else item.quantity,
        period_start=moment(_period(told, "current_period_start")),
        period_end=moment(_period(told, "current_period_end")),
        trial_end=moment(told.trial_end),
        cancel_at=moment(told.cancel_at),
        cancel_at_period_end=told.cancel_at_period_end,
        ended_at=moment(told.ended_at),
        past_due_since=_past_due_since(told, known),
        latest_invoice_id=shapes.id_of(told.latest_invoice),
        collection_paused=told.pause_collection is not None,
        collection_resumes_at=None if told.pause_collection is None else moment(told.pause_collection.resumes_at),
        created_at=datetime.fromtimestamp(told.created, UTC),
        trial_told_for=None if known is None else known.trial_told_for,
        duplicate_of=None if known is None else known.duplicate_of,
        fetched=fetched,
        interval=None if price is None or price.recurring is None else price.recurring.interval,
        currency=None if price is None else price.currency,
        unit_amount=None if price is None else price.unit_amount,
        **_later(told, known),
    )


def counted(told: shapes.Subscription) -> shapes.Item | None:
    """Of several things that are subscribed to, the one that is a plan of ours; or else the first."""
    ours = (item for item in told.items.data if PLAN in item.price.metadata)
    return next(ours, told.items.data[0] if told.items.data else None)


def _later(told: shapes.Subscription, known: Subscription | None) -> dict[str, Any]:
    """What is planned for it; where Stripe says less than all of that, what was known of the same plan."""
    schedule = told.schedule
    if not isinstance(schedule, shapes.Schedule):
        same = known is not None and schedule is not None and known.schedule_id == schedule
        return {"schedule_id": schedule} | (_known_later(known) if same else {})
    phase, now = schedule.then, [one for one in (counted(told),) if one is not None]
    beside = {one.price.id for one in told.items.data if one not in now}
    items = [] if phase is None else [one for one in phase.items if shapes.id_of(one.price) not in beside]
    item = items[0] if items else None
    if phase is None or item is None:
        return {"schedule_id": schedule.id}
    price_id, quantity = shapes.id_of(item.price), 1 if item.quantity is None else item.quantity
    if [(one.price.id, one.quantity) for one in now] == [(price_id, quantity)]:
        return {"schedule_id": schedule.id}
    whole = item.price if isinstance(item.price, shapes.Price) else None
    kept = _known_later(known) if whole is None and known is not None and known.later_price_id == price_id else {}
    plan = {} if whole is None else whole.metadata
    return {
        "later_plan": plan.get(PLAN),
        "later_version": plan.get(PLAN_VERSION),
        "later_interval": None if whole is None or whole.recurring is None else whole.recurring.interval,
        **kept,
        "schedule_id": schedule.id,
        "later_price_id": price_id,
        "later_quantity": quantity,
        "later_at": moment(phase.start_date),
    }


_LATER = ("later_price_id", "later_plan", "later_version", "later_interval", "later_quantity", "later_at")


def _known_later(known: Subscription | None) -> dict[str, Any]:
    return {} if known is None else {name: getattr(known, name) for name in _LATER}


def moment(seconds: int | None) -> datetime | None:
    """A moment as Stripe writes it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _period(told: shapes.Subscription, field: str) -> int | None:
    """The period's edge: on the items since Stripe's `basil`, on the subscription before; with several items, theirs
    that comes first."""
    edges = [edge for item in told.items.data if (edge := getattr(item, field)) is not None]
    whole: int | None = getattr(told, field)
    return min(edges, default=whole)


def _past_due_since(told: shapes.Subscription, known: Subscription | None) -> datetime | None:
    """Since when a payment is missing: said by the unpaid invoice, so that it is the same whoever hears of it first.

    The next period's invoice does not begin it anew.
    """
    if told.status != "past_due":
        return None
    invoice = told.latest_invoice if isinstance(told.latest_invoice, shapes.Invoice) else None
    since = moment(_period(told, "current_period_start"))
    if invoice is not None:
        since = moment(invoice.status_transitions.finalized_at or invoice.created)
    before = None if known is None else known.past_due_since
    return min((one for one in (since, before) if one is not None), default=None)


def version_number(version: str | None) -> int:
    """The version of a plan as Stripe's metadata say it, which is anybody's text; the first where it is no number."""
    return int(version) if version is not None and version.isascii() and version.isdigit() and len(version) < 10 else 1


def plan_of(row: Subscription, catalogue: Catalogue) -> Plan | None:
    """The plan of the plan file that a subscription is to, in its version; None where the file has it no more."""
    return None if row.plan_key is None else catalogue.plan(row.plan_key, version_number(row.plan_version))


def changed_fields(before: Subscription, after: Subscription) -> tuple[str, ...]:
    """What of a subscription is another than before, as far as it is news."""
    names = (name for name in Subscription.__struct_fields__ if name not in _BESIDE)
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


def settle_duplicates(rows: Iterable[Subscription]) -> Mapping[str, str | None]:
    """Which subscription each of an organization's live ones doubles: all but the oldest of them double that one.

    One that is to no plan of ours never comes before one that is.
    """
    live = sorted((row for row in rows if row.live), key=lambda row: (row.plan_key is None, row.created_at, row.id))
    return {row.id: None if row is live[0] else live[0].id for row in live}
