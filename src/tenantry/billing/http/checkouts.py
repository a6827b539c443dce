"""Checkouts over HTTP: somebody opens a page at Stripe's, pays there, and comes back to see that it is done."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from tenantry.billing import exchanges
from tenantry.billing.http.shapes import Instant, IntervalField, PlanField, SeatsField, routes
from tenantry.billing.inputs import ASKING_STRIPE
from tenantry.billing.models import CHECKOUT_ID, Checkout
from tenantry.billing.permissions import BILLING_READ, BILLING_WRITE
from tenantry.billing.problems import (
    AlreadySubscribed,
    BillingBusy,
    BillingOff,
    CardDeclined,
    NotSold,
    PlanNotSynced,
    StripeRefused,
    StripeUnavailable,
)
from tenantry.foundation.call import Call
from tenantry.foundation.problems import NotFound
from tenantry.foundation.routes import Answered
from tenantry.foundation.wire import Wire
from tenantry.plans.problems import UnknownPlan

OF_STRIPE = (BillingOff, StripeRefused, StripeUnavailable)
"""What whoever needs Stripe's answer may be told."""
CheckoutId = Annotated[str, Meta(pattern=f"^{CHECKOUT_ID.start}", description="Names a checkout.")]
OPENED = {
    "id": "chk_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "url": "https://checkout.stripe.com/c/pay/cs_test_a1",
    "expires_at": "2026-01-03T03:04:05Z",
    "status": "open",
    "plan": "team",
    "interval": "month",
    "seats": 3,
    "trial_days": 14,
}


class NewCheckout(Wire):
    """What to subscribe to; the price, and where one comes back to, are the house's to say."""

    plan: PlanField
    interval: IntervalField | None = None
    seats: SeatsField | None = None


class CheckoutView(Wire):
    """A checkout; at `url` it is paid, while it is open."""

    id: CheckoutId
    url: str | None
    expires_at: Instant | None
    status: Literal["open", "completed", "expired"]
    plan: str
    interval: Literal["month", "year"]
    seats: int | None
    trial_days: int


@routes.post(
    "/orgs/{org}/billing/checkout",
    requires=BILLING_WRITE,
    status=201,
    problems=(UnknownPlan, NotSold, AlreadySubscribed, BillingBusy, CardDeclined, PlanNotSynced, *OF_STRIPE),
    example={"plan": "team", "interval": "month", "seats": 3},
    answer_example=OPENED,
    also={200: OPENED},
    even_restricted=True,
    limits=(ASKING_STRIPE,),
)
async def open_checkout(call: Call, body: NewCheckout) -> CheckoutView | Answered[CheckoutView]:
    """Open a page on which the organization subscribes; the one for the same that is open is answered again."""
    checkout, new = await exchanges.open_checkout(call, plan=body.plan, interval=body.interval, seats=body.seats)
    return checkout_view(checkout) if new else Answered(200, checkout_view(checkout))


@routes.get(
    "/orgs/{org}/billing/checkout/{checkout}",
    requires=BILLING_READ,
    problems=(NotFound, *OF_STRIPE),
    ids={"checkout": CHECKOUT_ID},
    answer_example=OPENED | {"status": "completed", "url": None},
)
async def read_checkout(call: Call, checkout: UUID) -> CheckoutView:
    """See how a checkout stands; once it is paid, the organization is on its plan when this answers."""
    return checkout_view(await exchanges.fetch_checkout(call, checkout_id=checkout))


def checkout_view(checkout: Checkout) -> CheckoutView:
    """A checkout as its organization sees it."""
    offer = checkout.offer
    over: Literal["completed", "expired"] = "completed" if checkout.state == "done" else "expired"
    return CheckoutView(
        id=CHECKOUT_ID.text(checkout.id),
        url=checkout.url if checkout.state == "open" else None,
        expires_at=checkout.expires_at,
        status="open" if checkout.state in {"asked", "open"} else over,
        plan=offer.plan,
        interval=offer.interval,
        seats=offer.seats,
        trial_days=offer.trial_days,
    )
