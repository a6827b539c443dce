"""Changes of a subscription, and its end: weighed, kept, asked for, and settled by what Stripe says it is then."""

from __future__ import annotations

from typing import Literal

from tenantry.billing import actions, stripe
from tenantry.billing.exchanges.asked import asking, org_of, refuse_while_off
from tenantry.billing.exchanges.carrying import carry_out_change
from tenantry.billing.exchanges.prices import price_id
from tenantry.billing.models import Offer, Subscription
from tenantry.billing.models.changes import Feedback, Foreseen, Weighed, Wish
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.work import OrgWork


@exchange(requires=BILLING_WRITE)
async def change_subscription(call: Call, *, wish: Wish) -> Subscription:
    """Let the organization's subscription become what is wanted: at once, or when what is paid for is over."""
    weighed = await _weigh(call, wish)
    if weighed.deed == "none":
        return weighed.row
    with asking():
        price = await _price(call, weighed)
        async with OrgWork(call, org_of(call)) as work:
            intent = await actions.begin_change(work, weighed=weighed, price_id=price)
        return await carry_out_change(call, intent)


@exchange(requires=BILLING_WRITE)
async def preview_change(call: Call, *, wish: Wish) -> Foreseen:
    """Say what a change would be, and cost; nothing is changed."""
    weighed = await _weigh(call, wish)
    now, row = call.runtime.clock.now(), weighed.row
    at_once = weighed.deed != "later"
    at = now if at_once or row.period_end is None else row.period_end
    if weighed.deed in {"none", "stay"} or row.status == "trialing":
        return Foreseen(weighed, row.currency or "", 0, 0, (), at_once, at)
    with asking():
        told = await stripe.preview_change(
            call.runtime, key=f"tenantry:preview:{new_id()}", customer_id=row.customer_id, subscription_id=row.id,
            items=[{"id": row.item_id, "price": await _price(call, weighed), "quantity": weighed.terms.quantity}],
            proration_behavior="always_invoice" if at_once else "none",
        )  # fmt: skip
    lines = tuple((line.description or "", line.amount) for line in told.lines.data)
    return Foreseen(weighed, told.currency, told.amount_due, told.total, lines, at_once, at)


async def _weigh(call: Call, wish: Wish) -> Weighed:
    refuse_while_off(call)
    async with OrgWork(call, org_of(call), reading=True, ahead=True) as work:
        return await actions.weigh_change(work, wish)


async def _price(call: Call, weighed: Weighed) -> str:
    terms, row = weighed.terms, weighed.row
    if weighed.at_same_price or weighed.deed == "stay":
        return row.price_id or ""
    interval: Literal["month", "year"] = "year" if terms.interval == "year" else "month"
    offer = Offer(
        plan=terms.plan or "", version=terms.version, interval=interval, currency=terms.currency or "",
        amount=terms.amount or 0, per_seat=weighed.per_seat, quantity=terms.quantity,
    )  # fmt: skip
    return await price_id(call.runtime, offer)


@exchange(requires=BILLING_WRITE)
async def cancel_subscription(
    call: Call, *, feedback: Feedback | None = None, comment: str | None = None
) -> Subscription:
    """Let the organization's subscription end: when what is paid for is over, or at once where something is owed."""
    refuse_while_off(call)
    async with OrgWork(call, org_of(call)) as work:
        begun = await actions.begin_cancellation(work, feedback=feedback, comment=comment)
    if isinstance(begun, Subscription):
        return begun
    with asking():
        return await carry_out_change(call, begun)


@exchange(requires=BILLING_WRITE)
async def resume_subscription(call: Call) -> Subscription:
    """Let the organization's subscription go on that was to end."""
    refuse_while_off(call)
    async with OrgWork(call, org_of(call)) as work:
        begun = await actions.begin_resumption(work)
    if isinstance(begun, Subscription):
        return begun
    with asking():
        return await carry_out_change(call, begun)
