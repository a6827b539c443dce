"""Checkouts: a page at Stripe's on which an organization subscribes. What is to be paid is said by the plan file.

However often it is asked for, and by whomever, there is one that is open; what it is for can be changed until somebody
has paid.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from tenantry.billing import actions, stripe
from tenantry.billing.exchanges.asked import asking, org_of, refuse_while_off
from tenantry.billing.exchanges.asking import ask_anew
from tenantry.billing.exchanges.customers import ANSWERED, ensure_customer
from tenantry.billing.exchanges.prices import price_id
from tenantry.billing.models import CHECKOUT_ID, PLAN, Checkout, Intent, NewCheckout, Offer
from tenantry.billing.permissions import BILLING_READ, BILLING_WRITE
from tenantry.billing.problems import BillingBusy
from tenantry.billing.settings import BillingSettings, billing_page
from tenantry.billing.stripe import shapes
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID, new_id
from tenantry.foundation.work import OrgWork, SystemWork

ROUNDS = 5
"""Checkouts for something else that are closed before one gives up, because others open theirs meanwhile."""


@exchange(requires=BILLING_WRITE)
async def open_checkout(
    call: Call, *, plan: str, interval: actions.Interval | None = None, seats: int | None = None
) -> tuple[Checkout, bool]:
    """Open a checkout, or find the one for the same that is open; whether it is a new one."""
    refuse_while_off(call)
    async with OrgWork(call, org_of(call)) as work:
        await actions.refuse_second(work)
        offer = await actions.make_offer(work, plan=plan, interval=interval, seats=seats)
    with asking():
        wish = NewCheckout(await ensure_customer(call), await price_id(call.runtime, offer), offer)
        for _ in range(ROUNDS):
            async with OrgWork(call, org_of(call)) as work:
                intent = await actions.begin_checkout(work, wish=wish)
            if actions.offered(intent) == wish:
                new = intent.state == "asked"
                checkout = await (carry_out_checkout if new else look_at_checkout)(call, intent)
                if checkout.state == "open":
                    return checkout, new
            else:
                await close_checkout(call, intent)
    raise BillingBusy


@exchange(requires=BILLING_READ)
async def fetch_checkout(call: Call, *, checkout_id: UUID) -> Checkout:
    """How a checkout stands, asked of Stripe while it is open, so that whoever has just paid sees that."""
    async with OrgWork(call, org_of(call), reading=True) as work:
        intent = await actions.read_checkout(work, checkout_id)
    if intent.state != "open" or not call.runtime.section(BillingSettings).on:
        # what is known is told, also where nobody can be asked
        return actions.checkout_of(intent)
    with asking():
        return await look_at_checkout(call, intent)


async def carry_out_checkout(call: Call, intent: Intent) -> Checkout:
    """Have Stripe open the page of an intent; what it refuses is refused for good."""
    wish = actions.offered(intent)
    try:
        session = await stripe.create_checkout(call.runtime, key=intent.key, **_page(call, intent, wish))
    except stripe.Refused as error:
        async with SystemWork(call, reason=ANSWERED) as work:
            await actions.settle_intent(work, intent=intent, state="refused", why=str(error))
        raise
    if intent.answers_may_be_old:
        # somebody may have paid on it since
        return await look_at_checkout(call, msgspec.structs.replace(intent, foreign_id=session.id))
    return await _settle(call, intent, session)


async def look_at_checkout(call: Call, intent: Intent) -> Checkout:
    """Ask Stripe how a checkout stands; of one that is completed, the subscription as well."""
    session = await stripe.fetch_checkout(call.runtime, intent.foreign_id or "")
    if session.status == "complete" and session.subscription is not None:
        truth = await ask_anew(call, session.subscription)
        async with SystemWork(call, reason=ANSWERED) as work:
            await actions.apply_answer(work, org_id=intent.org_id, truth=truth)
    return await _settle(call, intent, session)


async def _settle(call: Call, intent: Intent, session: shapes.Session) -> Checkout:
    async with SystemWork(call, reason=ANSWERED) as work:
        return await actions.settle_checkout(work, intent=intent, session=session)


async def close_checkout(call: Call, intent: Intent) -> None:
    """Let nobody pay for something else than what is wanted now."""
    if intent.state == "asked":
        await carry_out_checkout(call, intent)
        return
    try:
        # to close twice is to close once, and with one key an answer of 500 would be the answer for a day
        key = f"{intent.key}:close:{new_id()}"
        session = await stripe.expire_checkout(call.runtime, intent.foreign_id or "", key=key)
    except stripe.Refused:
        # somebody has paid, or its time is over: what Stripe says of it decides
        await _look_at_last(call, intent)
        return
    await _settle(call, intent, session)


async def _look_at_last(call: Call, intent: Intent) -> None:
    try:
        await look_at_checkout(call, intent)
    except stripe.Refused as error:
        if not error.missing:
            raise
        # what Stripe does not know, as one of the other mode, nobody can pay on
        async with SystemWork(call, reason=ANSWERED) as work:
            await actions.settle_intent(work, intent=intent, state="refused", why=str(error))


def _page(call: Call, intent: Intent, wish: NewCheckout) -> dict[str, Any]:
    page = billing_page(call.runtime, intent.org_id)
    joined = "&" if "?" in page else "?"
    return {
        "customer_id": wish.customer_id,
        "items": [{"price": wish.price_id, "quantity": wish.offer.quantity}],
        # it names what to look at, and lets nobody see it
        "success_url": f"{page}{joined}checkout={CHECKOUT_ID.text(intent.id)}",
        "cancel_url": page,
        "client_reference_id": ORG_ID.text(intent.org_id),
        "allow_promotion_codes": True,
        "tax_id_collection": {"enabled": True},
        "customer_update": {"name": "auto", "address": "auto"},
        "subscription_data": _subscription_data(intent, wish.offer),
        "payment_method_collection": "if_required" if wish.offer.trial_days else "always",
    }


def _subscription_data(intent: Intent, offer: Offer) -> dict[str, Any]:
    data: dict[str, Any] = {"metadata": {"tenantry_org": ORG_ID.text(intent.org_id), PLAN: offer.plan}}
    if offer.trial_days:
        ending = {"end_behavior": {"missing_payment_method": "cancel"}}
        data |= {"trial_period_days": offer.trial_days, "trial_settings": ending}
    return data
