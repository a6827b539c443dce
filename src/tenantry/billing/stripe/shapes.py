"""What Stripe answers, as far as we read it; whatever else is in an answer is left alone."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec

Thing = TypeVar("Thing")
Metadata = dict[str, str]
# what no row can hold is no answer that can be read, so that whoever reads many lets go of the one
Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
Amount = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Listed(msgspec.Struct, Generic[Thing], frozen=True):
    """A page of a list."""

    data: list[Thing]
    has_more: bool = False


class Customer(msgspec.Struct, frozen=True):
    """Who pays; of one that was deleted only that is said."""

    id: str
    livemode: bool = False
    deleted: bool = False
    metadata: Metadata = {}


class Recurring(msgspec.Struct, frozen=True):
    """How often a price is due."""

    interval: str
    interval_count: int = 1
    usage_type: str = "licensed"


class Price(msgspec.Struct, frozen=True):
    """What one of something costs."""

    id: str
    product: str = ""
    active: bool = True
    currency: str = ""
    unit_amount: Amount | None = None
    lookup_key: str | None = None
    recurring: Recurring | None = None
    metadata: Metadata = {}


class MeterEvent(msgspec.Struct, frozen=True):
    """Usage that a meter was told of."""

    identifier: str


class Product(msgspec.Struct, frozen=True):
    """What is sold."""

    id: str
    name: str = ""
    active: bool = True
    metadata: Metadata = {}


class Feature(msgspec.Struct, frozen=True):
    """What a product lets its buyer do."""

    id: str
    lookup_key: str
    name: str = ""
    active: bool = True


class Named(msgspec.Struct, frozen=True):
    """What was made or changed, where nothing but its id is read."""

    id: str


class ProductFeature(msgspec.Struct, frozen=True):
    """That a product has a feature."""

    id: str
    entitlement_feature: Feature


class Item(msgspec.Struct, frozen=True):
    """What a subscription is to, and how much of it."""

    id: str
    price: Price
    quantity: Count | None = None
    current_period_start: Moment | None = None
    current_period_end: Moment | None = None


class Transitions(msgspec.Struct, frozen=True):
    """When an invoice became what it is."""

    finalized_at: Moment | None = None
    paid_at: Moment | None = None
    voided_at: Moment | None = None
    marked_uncollectible_at: Moment | None = None


class _SubscriptionDetails(msgspec.Struct, frozen=True):
    subscription: str | _Named | None = None


class _Named(msgspec.Struct, frozen=True):
    id: str


class _Parent(msgspec.Struct, frozen=True):
    subscription_details: _SubscriptionDetails | None = None


class Line(msgspec.Struct, frozen=True):
    """A line of an invoice."""

    amount: Amount
    description: str | None = None
    id: str = ""
    quantity: Count | None = None


class Invoice(msgspec.Struct, frozen=True):
    """What is or was to be paid."""

    id: str
    currency: str
    created: Moment
    customer: str | _Named | None = None
    number: str | None = None
    status: str | None = None
    total: Amount = 0
    subtotal: Amount = 0
    amount_due: Amount = 0
    amount_paid: Amount = 0
    amount_remaining: Amount = 0
    attempt_count: Count = 0
    next_payment_attempt: Moment | None = None
    hosted_invoice_url: str | None = None
    invoice_pdf: str | None = None
    due_date: Moment | None = None
    status_transitions: Transitions = Transitions()
    parent: _Parent | None = None
    lines: Listed[Line] = msgspec.field(default_factory=lambda: Listed([]))

    @property
    def subscription_id(self) -> str | None:
        """The subscription that it is for, if it is for one."""
        details = None if self.parent is None else self.parent.subscription_details
        return None if details is None else id_of(details.subscription)


class Preview(msgspec.Struct, frozen=True):
    """An invoice that is none yet."""

    currency: str
    total: Amount = 0
    subtotal: Amount = 0
    amount_due: Amount = 0
    lines: Listed[Line] = msgspec.field(default_factory=lambda: Listed([]))


class PhaseItem(msgspec.Struct, frozen=True):
    """What is subscribed to in a phase."""

    price: str | Price
    quantity: Count | None = None


class PhaseDiscount(msgspec.Struct, frozen=True):
    """What a phase is cheaper by."""

    coupon: str | _Named | None = None
    discount: str | _Named | None = None
    promotion_code: str | _Named | None = None


class Phase(msgspec.Struct, frozen=True):
    """A stretch of time in which one thing is subscribed to."""

    start_date: Moment
    items: list[PhaseItem]
    end_date: Moment | None = None
    discounts: list[PhaseDiscount] = []


class Span(msgspec.Struct, frozen=True):
    """From when to when."""

    start_date: Moment
    end_date: Moment


class Schedule(msgspec.Struct, frozen=True):
    """What a subscription is and will be to, phase after phase."""

    id: str
    phases: list[Phase]
    status: str = "active"
    current_phase: Span | None = None

    @property
    def here(self) -> Phase | None:
        """The phase that it is in."""
        start = None if self.current_phase is None else self.current_phase.start_date
        return next((one for one in self.phases if one.start_date == start), None)

    @property
    def then(self) -> Phase | None:
        """The phase after that."""
        end = None if self.current_phase is None else self.current_phase.end_date
        return next((one for one in self.phases if end is not None and one.start_date >= end), None)


class PauseCollection(msgspec.Struct, frozen=True):
    """That invoices are not collected for now."""

    behavior: str = ""
    resumes_at: Moment | None = None


class Subscription(msgspec.Struct, frozen=True):
    """What somebody pays for again and again."""

    id: str
    customer: str
    status: str
    created: Moment
    items: Listed[Item]
    livemode: bool = False
    cancel_at: Moment | None = None
    cancel_at_period_end: bool = False
    canceled_at: Moment | None = None
    ended_at: Moment | None = None
    trial_end: Moment | None = None
    latest_invoice: str | Invoice | None = None
    pause_collection: PauseCollection | None = None
    schedule: str | Schedule | None = None
    current_period_start: Moment | None = None
    current_period_end: Moment | None = None
    metadata: Metadata = {}


class Session(msgspec.Struct, frozen=True):
    """A page of Stripe's on which somebody subscribes."""

    id: str
    status: str | None = None
    payment_status: str | None = None
    url: str | None = None
    customer: str | None = None
    subscription: str | None = None
    expires_at: Moment | None = None
    client_reference_id: str | None = None


class PortalSession(msgspec.Struct, frozen=True):
    """A page of Stripe's on which a customer looks after their billing."""

    id: str
    url: str


class Refund(msgspec.Struct, frozen=True):
    """Money that goes back."""

    id: str
    amount: Amount
    status: str | None = None


class Charge(msgspec.Struct, frozen=True):
    """Money that was taken."""

    id: str
    amount_refunded: Amount = 0
    disputed: bool = False


class PaymentIntent(msgspec.Struct, frozen=True):
    """A payment, tried once or more often."""

    id: str
    customer: str | None = None
    latest_charge: str | Charge | None = None


class _PaidWith(msgspec.Struct, frozen=True):
    payment_intent: str | None = None


class InvoicePayment(msgspec.Struct, frozen=True):
    """That a payment was for an invoice."""

    id: str
    invoice: str
    status: str = ""
    payment: _PaidWith = _PaidWith()


class Payment(msgspec.Struct, frozen=True):
    """What became of a payment after it was made, and of which invoices it was."""

    id: str
    customer: str | None
    invoices: tuple[str, ...]
    refunded: int
    disputed: bool


def id_of(told: object) -> str | None:
    """The id of what stands as an id or whole."""
    found = told if told is None or isinstance(told, str) else getattr(told, "id", None)
    return found if isinstance(found, str) else None
