"""Changes of a subscription: weighed with what the plan file sells, and kept before Stripe is asked."""

from __future__ import annotations

import msgspec

from tenantry.billing import queries
from tenantry.billing.actions.applying import TOLD, apply_answer
from tenantry.billing.actions.intents import begin_intent, settle_intent
from tenantry.billing.actions.offers import make_offer, sold_quantity
from tenantry.billing.events import CancellationAsked, ResumptionAsked, SubscriptionChangeAsked
from tenantry.billing.models import Intent, IntentState, Subscription, Truth, ending
from tenantry.billing.models.changes import (
    SERVED,
    Cancellation,
    Feedback,
    Hindrance,
    NewTerms,
    Resumption,
    Stay,
    Terms,
    Weighed,
    Wish,
    deed_of,
    hindrance,
    later_terms_of,
    terms_of,
)
from tenantry.billing.models.prices import by_seat
from tenantry.billing.models.subscriptions import plan_of
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.billing.problems import BillingBusy, NotSold, NotSubscribed, PayFirst, SubscriptionEnding
from tenantry.foundation.action import action
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import FieldError, Problem
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.orgs import actions as orgs
from tenantry.plans.models import Plan, Price
from tenantry.plans.settings import PlanSettings

HINDERED: dict[Hindrance, type[Problem]] = {
    "not_subscribed": NotSubscribed,
    "pay_first": PayFirst,
    "ending": SubscriptionEnding,
}


async def weigh_change(work: OrgWork, wish: Wish) -> Weighed:
    """What a wish would do to the organization's subscription."""
    work.require(BILLING_WRITE)
    row = await queries.subscription_in_force(work, org_id=work.org)
    why = hindrance(row)
    if why is not None or row is None:
        raise HINDERED[why or "not_subscribed"]()
    plan = _plan_now(work, row)
    stays = wish.plan in (None, row.plan_key) and wish.interval in (None, row.interval)
    terms, per_seat = await (_same_price(work, row, plan, wish) if stays else _another(work, row, plan, wish))
    deed = deed_of(terms_of(row), later_terms_of(row), terms, in_trial=row.status == "trialing")
    return Weighed(row, wish, terms, per_seat, deed)


def _plan_now(work: OrgWork, row: Subscription) -> Plan | None:
    return plan_of(row, work.runtime.section(PlanSettings).catalogue)


async def _same_price(work: OrgWork, row: Subscription, plan: Plan | None, wish: Wish) -> tuple[Terms, bool]:
    """Only the number may be another; who has a price that is sold no more keeps it."""
    now = terms_of(row)
    if wish.seats is None:
        return now, plan is not None and by_seat(plan, row.interval, row.currency)
    if plan is None:
        raise NotSold(errors=(FieldError("body.seats", "what is subscribed to is not in the plan file"),))
    per_seat = by_seat(plan, row.interval, row.currency)
    price = Price(amount=row.unit_amount or 0, currency=row.currency or "usd", per_seat=per_seat)
    return msgspec.structs.replace(now, quantity=await sold_quantity(work, plan, price, wish.seats)), per_seat


async def _another(work: OrgWork, row: Subscription, now: Plan | None, wish: Wish) -> tuple[Terms, bool]:
    key = wish.plan or row.plan_key
    if key is None:
        raise NotSold(errors=(FieldError("body.plan", "what is subscribed to is not in the plan file"),))
    plan = work.runtime.section(PlanSettings).catalogue.latest.get(key)
    price = None if plan is None else _price_as_now(plan, row, wish.interval)
    seats = _seats_as_now(row, now, plan) if wish.seats is None and price is not None and price.per_seat else wish.seats
    offer = await make_offer(
        work, plan=key, interval=wish.interval if price is None else price.interval, seats=seats, currency=row.currency
    )
    terms = Terms(offer.plan, offer.version, offer.interval, offer.currency, offer.amount, offer.quantity)
    return terms, offer.per_seat


def _price_as_now(plan: Plan, row: Subscription, interval: str | None) -> Price | None:
    """A plan's price in the currency that is paid in; for the same interval as now where none is named."""
    sold = [one for one in plan.prices if one.currency == row.currency and interval in (None, one.interval)]
    return next((one for one in sold if one.interval == row.interval), next(iter(sold), None))


def _seats_as_now(row: Subscription, now: Plan | None, plan: Plan | None) -> int | None:
    """As many seats as there are, where they are sold in both plans."""
    if now is None or now.seats is None or plan is None or plan.seats is None:
        return None
    return max(row.quantity, plan.seats.least)


@action(requires=BILLING_WRITE, records=SubscriptionChangeAsked)
async def begin_change(work: OrgWork, *, weighed: Weighed, price_id: str) -> Intent:
    """Keep what a subscription is to become; BillingBusy where it is another one by now."""
    await orgs.hold_open_org(work, work.org)
    again = await weigh_change(work, weighed.wish)
    if not again.alike(weighed) or weighed.deed == "none":
        raise BillingBusy
    row, terms = again.row, again.terms
    work.record(
        SubscriptionChangeAsked(
            org_id=work.org, subscription=row.id, how=weighed.deed, plan=terms.plan, plan_version=terms.version,
            interval=terms.interval, quantity=terms.quantity,
        )
    )  # fmt: skip
    if weighed.deed == "stay":
        return await begin_intent(work, kind="stay", params=Stay(row.id))
    wanted = NewTerms(row.id, price_id, terms.quantity, terms.interval or "month")
    return await begin_intent(work, kind=weighed.deed, params=wanted)


async def read_cancellable(work: OrgWork) -> Subscription:
    """The organization's subscription that can be ended, or go on; NotSubscribed where there is none."""
    work.require(BILLING_WRITE)
    row = await queries.subscription_in_force(work, org_id=work.org)
    if row is None or row.over:
        raise NotSubscribed
    return row


@action(requires=BILLING_WRITE, records=CancellationAsked)
async def begin_cancellation(work: OrgWork, *, feedback: Feedback | None, comment: str | None) -> Intent | Subscription:
    """Keep that a subscription is to end; the subscription where it is to end already.

    Whoever owes something is charged no more: it ends at once.
    """
    await orgs.hold_open_org(work, work.org)
    row = await read_cancellable(work)
    at_once = row.status not in SERVED
    if ending(row) is not None and not at_once:
        return row
    work.record(CancellationAsked(org_id=work.org, subscription=row.id, at_once=at_once, reason=feedback))
    wanted = Cancellation(row.id, at_once, feedback, comment)
    return await begin_intent(work, kind="cancel", params=wanted)


@action(requires=BILLING_WRITE, records=ResumptionAsked)
async def begin_resumption(work: OrgWork) -> Intent | Subscription:
    """Keep that a subscription is to go on; the subscription where it does already."""
    await orgs.hold_open_org(work, work.org)
    row = await read_cancellable(work)
    if ending(row) is None:
        return row
    work.record(ResumptionAsked(org_id=work.org, subscription=row.id))
    return await begin_intent(work, kind="resume", params=Resumption(row.id))


@action(requires=HOUSE, records=TOLD)
async def settle_change(
    work: SystemWork, *, intent: Intent, truth: Truth, state: IntentState, why: str | None, subscription_id: str
) -> Subscription | None:
    """Keep what a subscription is after it was asked to be another, and what became of the intent."""
    await apply_answer(work, org_id=intent.org_id, truth=truth)
    await settle_intent(work, intent=intent, state=state, why=why)
    return await queries.subscription_of_org(work, org_id=intent.org_id, id=subscription_id)
