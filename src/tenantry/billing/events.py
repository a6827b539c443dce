"""What can have happened to what an organization pays for; after-values, as Stripe had them.

Ids of Stripe's stand as they are (`sub_...`, `in_...`); amounts are in the currency's smallest unit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.foundation.events.event import Audited, Event


class CheckoutOpened(Event, frozen=True):
    """Somebody opened a page at Stripe's on which the organization can subscribe."""

    kind = "billing.checkout_opened"
    audited = Audited(
        "billing:checkout:opened", target="checkout_id", shows=("plan", "plan_version", "interval", "quantity")
    )
    org_id: UUID
    checkout_id: UUID
    plan: str
    plan_version: int
    interval: str
    quantity: int


class CheckoutEnded(Event, frozen=True):
    """A checkout is over: the organization has subscribed on it, or nobody may any more."""

    kind = "billing.checkout_ended"
    audited = Audited("billing:checkout:ended", target="checkout_id", shows=("completed",))
    org_id: UUID
    checkout_id: UUID
    completed: bool


class SubscriptionStarted(Event, frozen=True):
    """An organization has a subscription that it had not, or one that had never begun has begun."""

    kind = "billing.subscription_started"
    audited = Audited(
        "billing:subscription:started", target="org_id", shows=("subscription", "status", "plan", "quantity")
    )
    webhook = "subscription.started"
    org_id: UUID
    subscription: str
    status: str
    plan: str | None
    plan_version: str | None
    price: str | None
    quantity: int
    period_end: datetime | None
    trial_end: datetime | None
    interval: str | None = None
    currency: str | None = None
    unit_amount: int | None = None


class SubscriptionChanged(Event, frozen=True):
    """Something about a subscription is another than before; `fields` says what."""

    kind = "billing.subscription_changed"
    audited = Audited(
        "billing:subscription:changed",
        target="org_id",
        shows=("subscription", "status", "plan", "quantity", "cancel_at_period_end"),
    )
    webhook = "subscription.changed"
    org_id: UUID
    subscription: str
    fields: tuple[str, ...]
    status: str
    plan: str | None
    plan_version: str | None
    price: str | None
    quantity: int
    period_end: datetime | None
    trial_end: datetime | None
    cancel_at: datetime | None
    cancel_at_period_end: bool
    past_due_since: datetime | None
    collection_paused: bool
    interval: str | None = None
    currency: str | None = None
    unit_amount: int | None = None


class SubscriptionEnded(Event, frozen=True):
    """A subscription is over; the organization is on the free plan unless it has another one."""

    kind = "billing.subscription_ended"
    audited = Audited("billing:subscription:ended", target="org_id", shows=("subscription", "status"))
    webhook = "subscription.ended"
    org_id: UUID
    subscription: str
    status: str
    ended_at: datetime | None


class SubscriptionDoubled(Event, frozen=True):
    """An organization pays for two subscriptions at once; the newer one is to be ended, and its money to go back."""

    kind = "billing.subscription_doubled"
    audited = Audited("billing:subscription:doubled", target="org_id", shows=("subscription", "doubles"))
    org_id: UUID
    subscription: str
    doubles: str


class DoubleEnded(Event, frozen=True):
    """The newer of two subscriptions was ended, and what was paid for it given back."""

    kind = "billing.double_ended"
    audited = Audited("billing:double:ended", target="org_id", shows=("subscription", "refunded", "currency"))
    org_id: UUID
    subscription: str
    refunded: int
    currency: str


class SubscriptionChangeAsked(Event, frozen=True):
    """Stripe is asked to make a subscription another one.

    `how`: at once, when what is paid for is over (`later`), not what was planned for then (`stay`), or as many seats
    as are taken by now (`grow`).
    """

    kind = "billing.subscription_change_asked"
    audited = Audited(
        "billing:subscription:change_asked",
        target="org_id",
        shows=("subscription", "how", "plan", "plan_version", "interval", "quantity"),
    )
    org_id: UUID
    subscription: str
    how: Literal["change", "later", "stay", "grow"]
    plan: str | None
    plan_version: int
    interval: str | None
    quantity: int


class CancellationAsked(Event, frozen=True):
    """Somebody cancelled a subscription: it ends when what is paid for is over, or at once where something is owed."""

    kind = "billing.cancellation_asked"
    audited = Audited("billing:cancellation:asked", target="org_id", shows=("subscription", "at_once", "reason"))
    org_id: UUID
    subscription: str
    at_once: bool
    reason: str | None


class ResumptionAsked(Event, frozen=True):
    """Somebody lets a subscription go on that was to end."""

    kind = "billing.resumption_asked"
    audited = Audited("billing:resumption:asked", target="org_id", shows=("subscription",))
    org_id: UUID
    subscription: str


class TrialEnding(Event, frozen=True):
    """A trial is over in a few days."""

    kind = "billing.trial_ending"
    webhook = "trial.ending"
    org_id: UUID
    subscription: str
    trial_end: datetime


class PaymentFailed(Event, frozen=True):
    """An invoice could not be paid; it is tried again at `next_attempt_at`, if at all."""

    kind = "billing.payment_failed"
    audited = Audited("billing:payment:failed", target="org_id", shows=("invoice", "amount", "currency", "attempts"))
    webhook = "payment.failed"
    org_id: UUID
    invoice: str
    subscription: str | None
    amount: int
    currency: str
    attempts: int
    next_attempt_at: datetime | None


class InvoicePaid(Event, frozen=True):
    """An invoice is paid."""

    kind = "billing.invoice_paid"
    audited = Audited("billing:invoice:paid", target="org_id", shows=("invoice", "amount", "currency"))
    webhook = "invoice.paid"
    org_id: UUID
    invoice: str
    subscription: str | None
    amount: int
    currency: str


class PaymentReversed(Event, frozen=True):
    """Money for an invoice went back, or whoever paid disputes it."""

    kind = "billing.payment_reversed"
    audited = Audited("billing:payment:reversed", target="org_id", shows=("invoice", "refunded", "disputed"))
    webhook = "payment.reversed"
    org_id: UUID
    invoice: str
    refunded: int
    disputed: bool
    currency: str


class CustomerGone(Event, frozen=True):
    """Somebody deleted an organization's customer at Stripe, and its subscriptions with it."""

    kind = "billing.customer_gone"
    audited = Audited("billing:customer:gone", target="org_id")
    org_id: UUID
    customer: str
