"""Offers: what an organization may buy, of which the plan file says plan, price and how many seats."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.billing import queries
from tenantry.billing.models import Offer
from tenantry.billing.problems import NotSold
from tenantry.billing.settings import BillingSettings, billing_page
from tenantry.foundation.problems import FieldError
from tenantry.foundation.work import OrgWork, Work
from tenantry.plans import queries as plans
from tenantry.plans.models import Plan, Price
from tenantry.plans.problems import UnknownPlan
from tenantry.plans.settings import PlanSettings

Interval = Literal["month", "year"]
MOST_SEATS = 100_000
"""Seats of a subscription where the plan file has no limit of its own."""


async def make_offer(
    work: OrgWork, *, plan: str, interval: Interval | None, seats: int | None, currency: str | None = None
) -> Offer:
    """What a plan costs this organization; UnknownPlan or NotSold where it cannot be had like that."""
    found = work.runtime.section(PlanSettings).catalogue.latest.get(plan)
    if found is None:
        known = ", ".join(work.runtime.section(PlanSettings).catalogue.latest)
        raise UnknownPlan(errors=(FieldError("body.plan", f"one of {known}"),))
    price = _price(found, interval, currency)
    return Offer(
        plan=found.key, version=found.version, interval=price.interval, currency=price.currency, amount=price.amount,
        per_seat=price.per_seat, quantity=await sold_quantity(work, found, price, seats),
        trial_days=0 if await queries.had_trial(work, org_id=work.org) else found.trial_days,
    )  # fmt: skip


async def where_it_is_sold(work: Work, org_id: UUID) -> str | None:
    """The page on which an organization gets another plan, where anything is sold."""
    return billing_page(work.runtime, org_id) if work.runtime.section(BillingSettings).on else None


def _price(plan: Plan, interval: Interval | None, currency: str | None) -> Price:
    prices = [price for price in plan.prices if currency in (None, price.currency)]
    found = next((price for price in prices if interval in (None, price.interval)), None)
    if found is None:
        field = "body.interval" if prices else "body.plan"
        raise NotSold(errors=(FieldError(field, "there is no such price"),))
    return found


async def sold_quantity(work: OrgWork, plan: Plan, price: Price, seats: int | None) -> int:
    """How many of a plan's price are bought for so many seats; NotSold where that many are not sold, or not enough."""
    taken = await plans.seats_taken(work, org_id=work.org) or 1
    if not price.per_seat or plan.seats is None:
        if seats is not None:
            raise NotSold(errors=(FieldError("body.seats", "this plan is not sold by the seat"),))
        return 1
    least, most = max(plan.seats.least, taken), plan.seats.most or MOST_SEATS
    wanted = least if seats is None else seats
    if not least <= wanted <= most:
        why = f"{least} to {most}" if least <= most else f"{taken} are taken, and {most} can be bought"
        raise NotSold(errors=(FieldError("body.seats", why),))
    return wanted
