"""Access: what a subscription lets its organization do at a moment. The only place that knows what a status means."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Protocol

import msgspec

Level = Literal["plan", "restricted", "free"]
Reason = Literal[
    "no_subscription", "trial", "trial_over", "paid", "cancelling", "collection_paused", "grace", "past_due", "unpaid",
    "paused", "incomplete", "incomplete_expired", "canceled", "unknown_status",
]  # fmt: skip


class Access(msgspec.Struct, frozen=True):
    """What is open: all that the plan has, reading and paying only (`restricted`), or the free plan.

    `until` is when that changes by itself, as far as it is known.
    """

    level: Level
    reason: Reason
    until: datetime | None = None


class Policy(msgspec.Struct, frozen=True):
    """How patient the house is.

    `grace_days` begin with the first failed payment. `settle_hours` are how long after its end a trial still counts:
    Stripe takes about an hour to turn it into something else, and what tells us of that may be late.
    """

    grace_days: int = 14
    settle_hours: int = 48

    def grace_over(self, since: datetime) -> datetime:
        """When the patience with a payment is over that is missing since then."""
        return since + timedelta(days=self.grace_days)

    def trial_over(self, ends: datetime) -> datetime:
        """Until when a trial counts that nothing was heard of after its end."""
        return ends + timedelta(hours=self.settle_hours)


class Standing(Protocol):
    """What of a subscription decides."""

    @property
    def status(self) -> str: ...
    @property
    def period_start(self) -> datetime | None: ...
    @property
    def period_end(self) -> datetime | None: ...
    @property
    def trial_end(self) -> datetime | None: ...
    @property
    def cancel_at(self) -> datetime | None: ...
    @property
    def cancel_at_period_end(self) -> bool: ...
    @property
    def past_due_since(self) -> datetime | None: ...
    @property
    def collection_paused(self) -> bool: ...
    @property
    def collection_resumes_at(self) -> datetime | None: ...


def access(subscription: Standing | None, now: datetime, policy: Policy) -> Access:
    """What an organization may do with this subscription at this moment."""
    if subscription is None:
        return Access("free", "no_subscription")
    ends = ending(subscription)
    if ends is not None and now >= ends and subscription.status in _ENDABLE:
        # Stripe ends it at this moment, and may tell us a little later
        return Access("free", "canceled")
    match subscription.status:
        case "trialing":
            return _in_trial(subscription, now, policy, ends)
        case "active":
            return _paid(subscription, ends)
        case "past_due":
            return _past_due(subscription, now, policy, ends)
        case "unpaid" | "paused" as shut:
            return Access("restricted", "unpaid" if shut == "unpaid" else "paused")
        case "incomplete" | "incomplete_expired" | "canceled" as never:
            # nothing was paid for yet, or nothing is any more: what everybody has is left
            return Access("free", _NONE[never])
        case _:
            return Access("restricted", "unknown_status")


_ENDABLE = frozenset(("trialing", "active", "past_due"))
_NONE: dict[str, Reason] = {
    "incomplete": "incomplete",
    "incomplete_expired": "incomplete_expired",
    "canceled": "canceled",
}


def ending(subscription: Standing) -> datetime | None:
    """When it was told to end, if it was."""
    told = [subscription.cancel_at] if subscription.cancel_at is not None else []
    if subscription.cancel_at_period_end and subscription.period_end is not None:
        told.append(subscription.period_end)
    return min(told, default=None)


def _in_trial(subscription: Standing, now: datetime, policy: Policy, ends: datetime | None) -> Access:
    over = subscription.trial_end
    if over is not None and now >= policy.trial_over(over):
        return Access("restricted", "trial_over")
    return Access("plan", "trial", _sooner(over, ends))


def _paid(subscription: Standing, ends: datetime | None) -> Access:
    if ends is not None:
        return Access("plan", "cancelling", ends)
    if subscription.collection_paused:
        return Access("plan", "collection_paused", subscription.collection_resumes_at)
    # whoever has paid is not shut out because the notice of a renewal is late
    return Access("plan", "paid")


def _past_due(subscription: Standing, now: datetime, policy: Policy, ends: datetime | None) -> Access:
    since = subscription.past_due_since or subscription.period_start
    over = None if since is None else policy.grace_over(since)
    if over is None or now >= over:
        return Access("restricted", "past_due")
    return Access("plan", "grace", _sooner(over, ends))


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


class Course(msgspec.Struct, frozen=True):
    """What is open now, since when where that can be told, and what time alone will make of it."""

    now: Access
    since: datetime | None = None
    changes_at: datetime | None = None
    then: Level | None = None


TICK = timedelta(microseconds=1)


def course(subscription: Standing | None, now: datetime, policy: Policy) -> Course:
    """What an organization may do, and when that changes if nothing is heard of its subscription any more."""
    here = access(subscription, now, policy)
    moments = [] if subscription is None else _turning_points(subscription, policy)
    # what is the same on both sides of a moment did not begin there
    begun = [one for one in moments if one <= now and access(subscription, one - TICK, policy).level != here.level]
    since = max((one for one in begun if access(subscription, one, policy).level == here.level), default=None)
    for moment in moments:
        if moment > now and (then := access(subscription, moment, policy).level) != here.level:
            return Course(here, since, moment, then)
    return Course(here, since)


def _turning_points(subscription: Standing, policy: Policy) -> list[datetime]:
    missing = subscription.past_due_since or subscription.period_start
    points = (
        ending(subscription),
        None if subscription.trial_end is None else policy.trial_over(subscription.trial_end),
        None if missing is None else policy.grace_over(missing),
    )
    return sorted(point for point in points if point is not None)
