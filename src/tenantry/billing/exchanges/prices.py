"""The price at Stripe of what is offered, found by the name that `tenantry plans sync` gave it."""

from __future__ import annotations

from tenantry.billing import stripe
from tenantry.billing.models import Offer
from tenantry.billing.models.prices import lookup_key
from tenantry.billing.problems import PlanNotSynced
from tenantry.foundation.runtime import Runtime
from tenantry.plans.models import Price
from tenantry.plans.settings import PlanSettings


async def price_id(runtime: Runtime, offer: Offer) -> str:
    """The id of an offer's price; PlanNotSynced where Stripe has it not, or at another amount than the plan file."""
    plan = runtime.section(PlanSettings).catalogue.latest[offer.plan]
    price = Price(amount=offer.amount, currency=offer.currency, interval=offer.interval, per_seat=offer.per_seat)
    found = await stripe.find_price(runtime, lookup_key(plan, price))
    if found is None or not found.active or found.unit_amount != offer.amount:
        raise PlanNotSynced
    return found.id
