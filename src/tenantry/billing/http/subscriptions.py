"""A running subscription over HTTP: previewed, changed, cancelled, and let go on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenantry.billing import exchanges
from tenantry.billing.http.checkouts import OF_STRIPE
from tenantry.billing.http.shapes import (
    SUBSCRIBED,
    Instant,
    IntervalField,
    PlanField,
    SeatsField,
    SubscriptionView,
    routes,
    subscription_view,
)
from tenantry.billing.inputs import ASKING_STRIPE
from tenantry.billing.models.changes import Feedback, Foreseen, Wish
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.billing.problems import (
    BillingBusy,
    CardDeclined,
    NotSold,
    NotSubscribed,
    PayFirst,
    PlanNotSynced,
    SubscriptionEnding,
)
from tenantry.foundation.call import Call
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.wire import Wire
from tenantry.plans.problems import UnknownPlan

WEIGHED = (UnknownPlan, NotSold, NotSubscribed, PayFirst, SubscriptionEnding, PlanNotSynced, *OF_STRIPE)
"""What whoever wants a change may be told, before anything is done."""
MOST_WORDS = 500
"""Characters of a comment, as many as Stripe keeps."""


class Change(Wire):
    """What the subscription is to be; what is left out stays as it is. The price is the house's to say."""

    plan: PlanField | None = None
    interval: IntervalField | None = None
    seats: SeatsField | None = None


class NewSeats(Wire):
    """How many seats there are to be."""

    seats: SeatsField


class NewCancellation(Wire):
    """Why the subscription is to end, if somebody wants to say."""

    reason: Feedback | None = None
    comment: Annotated[str, Meta(max_length=MOST_WORDS, description="Goes to Stripe, and is not kept here.")] | None = (
        None
    )


class LineView(Wire):
    """A line of the invoice that there would be."""

    description: str
    amount: int


class PreviewView(Wire):
    """What a change would be: from when on (`now`, or when the period ends, at `at`), and the invoice of it."""

    currency: str
    amount_due: int
    total: int
    lines: list[LineView]
    when: Literal["now", "period_end"]
    at: Instant
    plan: str | None
    interval: str | None
    seats: int | None


@routes.post(
    "/orgs/{org}/billing/preview",
    requires=BILLING_WRITE,
    problems=WEIGHED,
    example={"plan": "team", "interval": "month", "seats": 5},
    answer_example={
        "currency": "eur",
        "amount_due": 1200,
        "total": 1200,
        "lines": [{"description": "Remaining time on 5 x Team", "amount": 1200}],
        "when": "now",
        "at": "2026-01-02T03:04:05Z",
        "plan": "team",
        "interval": "month",
        "seats": 5,
    },
    even_restricted=True,
    limits=(ASKING_STRIPE,),
)
async def preview(call: Call, body: Change) -> PreviewView:
    """See what a change would be and cost; nothing is changed."""
    return _foreseen(await exchanges.preview_change(call, wish=_wish(body)))


@routes.patch(
    "/orgs/{org}/billing/subscription",
    requires=BILLING_WRITE,
    problems=(BillingBusy, CardDeclined, *WEIGHED),
    example={"plan": "team", "interval": "month", "seats": 5},
    answer_example=SUBSCRIBED,
    even_restricted=True,
    limits=(ASKING_STRIPE,),
)
async def change(call: Call, body: Change) -> SubscriptionView:
    """Change what is subscribed to: more at once, charged for the rest of the period; less when the period ends."""
    return subscription_view(await exchanges.change_subscription(call, wish=_wish(body)), call.runtime)


@routes.put(
    "/orgs/{org}/billing/seats",
    requires=BILLING_WRITE,
    problems=(BillingBusy, CardDeclined, *WEIGHED),
    example={"seats": 5},
    answer_example=SUBSCRIBED,
    even_restricted=True,
    limits=(ASKING_STRIPE,),
)
async def put_seats(call: Call, body: NewSeats) -> SubscriptionView:
    """Buy more seats at once, or fewer from the end of the period on; never fewer than are taken."""
    return subscription_view(await exchanges.change_subscription(call, wish=Wish(seats=body.seats)), call.runtime)


@routes.post(
    "/orgs/{org}/billing/cancellation",
    requires=BILLING_WRITE,
    problems=(BillingBusy, NotSubscribed, *OF_STRIPE),
    example={"reason": "too_expensive"},
    answer_example=SUBSCRIBED | {"cancels": True, "cancel_at": "2026-02-02T03:04:05Z", "later": None},
    even_restricted=True,
    limits=(ASKING_STRIPE,),
)
async def cancel(call: Call, body: NewCancellation) -> SubscriptionView:
    """Let the subscription end when what is paid for is over; at once, and charged no more, where a payment fails."""
    row = await exchanges.cancel_subscription(call, feedback=body.reason, comment=body.comment)
    return subscription_view(row, call.runtime)


@routes.delete(
    "/orgs/{org}/billing/cancellation",
    requires=BILLING_WRITE,
    problems=(BillingBusy, NotSubscribed, *OF_STRIPE),
    answer_example=SUBSCRIBED,
    even_restricted=True,
    limits=(ASKING_STRIPE,),
)
async def resume(call: Call) -> SubscriptionView:
    """Let the subscription go on, while it has not ended."""
    return subscription_view(await exchanges.resume_subscription(call), call.runtime)


def _wish(body: Change) -> Wish:
    if (body.plan, body.interval, body.seats) == (None, None, None):
        raise Invalid(errors=(FieldError("body", "name a plan, an interval or a number of seats"),))
    return Wish(plan=body.plan, interval=body.interval, seats=body.seats)


def _foreseen(found: Foreseen) -> PreviewView:
    terms = found.weighed.terms
    return PreviewView(
        currency=found.currency,
        amount_due=found.amount_due,
        total=found.total,
        lines=[LineView(description=text, amount=amount) for text, amount in found.lines],
        when="now" if found.at_once else "period_end",
        at=found.at,
        plan=terms.plan,
        interval=terms.interval,
        seats=terms.quantity if found.weighed.per_seat else None,
    )
