"""The page of what an organization pays: plan, seats, bills, and all that can be done about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlencode

from msgspec import Meta

from tenantry.billing import actions, exchanges, queries
from tenantry.billing.console import wording
from tenantry.billing.console.frame import PLACE, at_stripe, pages, place_of
from tenantry.billing.exchanges.asked import org_of
from tenantry.billing.inputs import ASKING_STRIPE
from tenantry.billing.models import CHECKOUT_ID, Checkout, Overview
from tenantry.billing.models.changes import Wish
from tenantry.billing.permissions import BILLING_READ, BILLING_WRITE
from tenantry.billing.problems import StripeRefused, StripeUnavailable
from tenantry.foundation.call import Call
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.problems import FieldError, Invalid, NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs import queries as orgs
from tenantry.plans.models import Plan, Price
from tenantry.plans.settings import PlanSettings

BILLS = 12
"""Invoices on the page, at most; the API has all of them."""
NOTICES = {
    "changed": "The subscription is changed.",
    "later": "The subscription changes at the end of what is paid for.",
    "cancelled": "The subscription is told to end.",
    "resumed": "The subscription goes on.",
}
SLOW = "Stripe does not answer just now. Look again in a moment: nothing is lost."


class CameBack(Wire):
    """Which checkout somebody comes back from, and what was just done."""

    checkout: str = ""
    done: str = ""


class Decision(Wire):
    """What to do: subscribe to a plan, look at what a change costs, let it go on, or go to Stripe's pages."""

    act: Literal["subscribe", "change", "resume", "portal"]
    plan: Annotated[str, Meta(max_length=64)] | None = None
    interval: Literal["month", "year"] | None = None
    seats: Annotated[int, Meta(ge=1, le=100_000)] | None = None


@pages.get(PLACE, title="Billing", template="billing", requires=BILLING_READ, onward=at_stripe)
async def billing_page(call: Call, query: CameBack) -> Values:
    """Show what the organization pays; whoever comes back from a checkout sees what became of it."""
    notice = await _came_back(call, query.checkout) or NOTICES.get(query.done)
    async with OrgWork(call, org_of(call), reading=True) as work:
        sheet = await actions.read_overview(work)
        bills, _ = await queries.invoices.read(work, ListQuery(order="-created_at", limit=BILLS))
        had_trial = bool(await queries.had_trial(work, org_id=work.org))
        org = await orgs.org(work, role=work.role)
    return {
        "org": org.name,
        "place": place_of(org.id),
        "notice": notice,
        "bills": [wording.bill(one) for one in bills],
        "offers": list(_offers(call, sheet, had_trial=had_trial)),
        "later": wording.later(sheet, _later_plan(call, sheet)),
        **_shown(sheet),
    }


@pages.post(f"{PLACE}/decision", of=PLACE, requires=BILLING_WRITE, even_restricted=True, limits=(ASKING_STRIPE,))
async def decide(call: Call, form: Decision) -> SeeOther:
    """Subscribe, or go on to where a change is looked at, to the portal, or on with what was told to end."""
    match form.act:
        case "subscribe":
            return await _subscribe(call, form)
        case "portal":
            return SeeOther(await exchanges.open_portal(call))
        case "resume":
            await exchanges.resume_subscription(call)
            return SeeOther(f"{place_of(org_of(call))}?done=resumed")
        case "change":
            return await _look_at_change(call, form)


async def _subscribe(call: Call, form: Decision) -> SeeOther:
    if form.plan is None:
        raise Invalid(errors=(FieldError("form.plan", "is missing"),))
    opened, _ = await exchanges.open_checkout(call, plan=form.plan, interval=form.interval, seats=form.seats)
    # one that has just been paid leads back to where that is seen
    return SeeOther(opened.url or place_of(org_of(call)))


async def _look_at_change(call: Call, form: Decision) -> SeeOther:
    wish = {"plan": form.plan, "interval": form.interval, "seats": form.seats}
    async with OrgWork(call, org_of(call), reading=True) as work:
        # what is refused is said here, where something else can be chosen
        await actions.weigh_change(work, Wish(plan=form.plan, interval=form.interval, seats=form.seats))
    asked = urlencode({name: value for name, value in wish.items() if value is not None})
    return SeeOther(f"{place_of(org_of(call))}/change?{asked}")


async def _came_back(call: Call, given: str) -> str | None:
    """What became of a checkout, asked of Stripe once."""
    checkout_id = CHECKOUT_ID.read(given)
    if checkout_id is None:
        return None
    try:
        found = await exchanges.fetch_checkout(call, checkout_id=checkout_id)
    except NotFound:
        # another organization's, or nobody's: the page is as if nothing had been said
        return None
    except (StripeRefused, StripeUnavailable):
        return SLOW
    return _became(found)


def _became(found: Checkout) -> str | None:
    if found.state == "done":
        return "The organization is subscribed. Thank you."
    return "Nothing was paid yet." if found.state in {"asked", "open"} else None


def _shown(sheet: Overview) -> Values:
    held = sheet.subscription if sheet.subscription is not None and sheet.subscription.live else None
    return {
        "on": sheet.on,
        "plan": sheet.plan.name,
        "standing": wording.standing(sheet),
        "seats": wording.seats(sheet.bought, sheet.taken),
        "bought": sheet.bought,
        "taken": sheet.taken,
        "subscribed": held is not None,
        "ending": sheet.ends is not None,
        "by_seats": held is not None and sheet.bought is not None,
        "held": held,
        "customer": sheet.customer,
        "unpaid": None if sheet.unpaid is None else wording.unpaid(sheet.unpaid),
        "pay_at": None if sheet.checkout is None else wording.address(sheet.checkout.url),
    }


def _later_plan(call: Call, sheet: Overview) -> str:
    key = None if sheet.subscription is None else sheet.subscription.later_plan
    found = call.runtime.section(PlanSettings).catalogue.latest.get(key or "")
    return found.name if found is not None else key or "another plan"


def _offers(call: Call, sheet: Overview, *, had_trial: bool) -> Iterator[Values]:
    """The plans that there are to choose, each with its prices; the first of an interval is the one that is sold."""
    for plan in call.runtime.section(PlanSettings).catalogue.latest.values():
        if plan.prices:
            yield {
                "key": plan.key,
                "name": plan.name,
                "trial": 0 if had_trial else plan.trial_days,
                "prices": [_price(plan, price, sheet) for price in _sold(plan)],
            }


def _sold(plan: Plan) -> list[Price]:
    first: dict[str, Price] = {}
    for price in plan.prices:
        first.setdefault(price.interval, price)
    return list(first.values())


def _price(plan: Plan, price: Price, sheet: Overview) -> Values:
    least = 1 if plan.seats is None else plan.seats.least
    held = sheet.subscription if sheet.subscription is not None and sheet.subscription.live else None
    return {
        "held": held is not None and (held.plan_key, held.interval) == (plan.key, price.interval),
        "interval": price.interval,
        "cost": wording.cost(price),
        "seats": max(least, sheet.taken) if price.per_seat else None,
        "most": 100_000 if plan.seats is None else plan.seats.most or 100_000,
    }
