"""Changes: what becomes of a subscription when somebody wants another plan, interval or number of seats."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from tenantry.billing.models.access import ending
from tenantry.billing.models.subscriptions import Subscription, version_number

Deed = Literal["change", "later", "stay", "none"]
"""At once; when what is paid for is over; not what was planned for then; or nothing, because it is so already."""
Hindrance = Literal["not_subscribed", "pay_first", "ending"]
Feedback = Literal[
    "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex", "too_expensive",
    "unused",
]  # fmt: skip
"""Stripe's words for why somebody cancels."""
SERVED = frozenset(("active", "trialing"))
MONTHS = {"month": 1, "year": 12}


class Terms(msgspec.Struct, frozen=True):
    """What is subscribed to. `amount` is for one, and None where Stripe does not say it in one number."""

    plan: str | None
    version: int
    interval: str | None
    currency: str | None
    amount: int | None
    quantity: int

    def same(self, other: Terms | None) -> bool:
        """Whether both are the same thing; what it costs follows from that."""
        return other is not None and self._what == other._what

    @property
    def _what(self) -> tuple[object, ...]:
        return self.plan, self.version, self.interval, self.quantity

    def dearer_or_equal(self, other: Terms) -> bool:
        """Whether it costs as much as another one or more, over the same time."""
        if self.amount is None or other.amount is None:
            return True
        return self.amount * self.quantity * other._months >= other.amount * other.quantity * self._months

    @property
    def _months(self) -> int:
        return MONTHS.get(self.interval or "month", 1)


def terms_of(row: Subscription) -> Terms:
    """What a subscription is to."""
    return Terms(
        row.plan_key, version_number(row.plan_version), row.interval, row.currency, row.unit_amount, row.quantity
    )


def later_terms_of(row: Subscription) -> Terms | None:
    """What a subscription will be to, if something else."""
    if row.later_at is None or row.later_quantity is None:
        return None
    return Terms(
        row.later_plan, version_number(row.later_version), row.later_interval, row.currency, None, row.later_quantity
    )


def hindrance(row: Subscription | None) -> Hindrance | None:
    """Why a subscription cannot be changed now, if it cannot."""
    if row is None or not row.live:
        return "not_subscribed"
    if row.status not in SERVED:
        return "pay_first"
    return "ending" if ending(row) is not None else None


def deed_of(now: Terms, later: Terms | None, wanted: Terms, *, in_trial: bool) -> Deed:
    """What is to be done so that it becomes what is wanted: what costs less waits for the period to end."""
    if wanted.same(now):
        return "none" if later is None else "stay"
    if wanted.same(later):
        return "none"
    return "change" if in_trial or wanted.dearer_or_equal(now) else "later"


class Wish(msgspec.Struct, frozen=True):
    """What somebody wants; what they do not say stays as it is now."""

    plan: str | None = None
    interval: Literal["month", "year"] | None = None
    seats: int | None = None


class Weighed(msgspec.Struct, frozen=True):
    """A wish, what it is for, and what is to be done about it."""

    row: Subscription
    wish: Wish
    terms: Terms
    per_seat: bool
    deed: Deed

    @property
    def at_same_price(self) -> bool:
        """Whether only the number changes; a price that is sold to nobody else any more stays."""
        now = terms_of(self.row)
        return (self.terms.plan, self.terms.version, self.terms.interval) == (now.plan, now.version, now.interval)

    def alike(self, other: Weighed) -> bool:
        """Whether nothing that counts has changed since."""
        ids = (self.row.id, self.row.item_id, self.row.price_id, self.row.status)
        same = ids == (other.row.id, other.row.item_id, other.row.price_id, other.row.status)
        return same and (self.terms, self.deed) == (other.terms, other.deed)


class NewTerms(msgspec.Struct, frozen=True):
    """Let a subscription be to something else; `insists` on the payment, or nothing is changed."""

    subscription_id: str
    price_id: str
    quantity: int
    interval: str
    insists: bool = True
    keeps_later: bool = False


class Stay(msgspec.Struct, frozen=True):
    """Let a subscription stay what it is."""

    subscription_id: str


class Cancellation(msgspec.Struct, frozen=True):
    """Let a subscription end. The comment is somebody's own words, and forgotten once Stripe has it."""

    subscription_id: str
    at_once: bool
    feedback: Feedback | None = None
    comment: str | None = None


class Resumption(msgspec.Struct, frozen=True):
    """Let a subscription go on that was to end."""

    subscription_id: str


class Foreseen(msgspec.Struct, frozen=True):
    """What a change would be, and cost."""

    weighed: Weighed
    currency: str
    amount_due: int
    total: int
    lines: tuple[tuple[str, int], ...]
    at_once: bool
    at: datetime
