"""Doubling: of two subscriptions that live at once the newer one ends, and all that was paid for it goes back.

Each step can be repeated: what has ended stays so, and a payment has one key with which it is given back.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.billing import queries, stripe
from tenantry.billing.exchanges.asked import log
from tenantry.billing.exchanges.asking import ask_anew
from tenantry.billing.models import Truth
from tenantry.billing.models.subscriptions import OVER
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

DOUBLED = "nobody asked for a second subscription, so nobody is there to end it"
GIVEN_BACK = frozenset(("charge_already_refunded", "charge_disputed"))
"""Why Stripe gives nothing back: it has already, or the bank does."""


class Ended(msgspec.Struct, frozen=True):
    """What is true of a subscription that has ended, and how much went back, of which currency."""

    truth: Truth
    refunded: int
    currency: str


@exchange(requires=HOUSE)
async def end_double(call: Call, *, org_id: UUID, subscription_id: str) -> Ended | None:
    """End a subscription that doubles another one and give back what was paid; None where it doubles none any more."""
    async with SystemWork(call, reason=DOUBLED, reading=True) as work:
        row = await queries.subscription_of_org(work, org_id=org_id, id=subscription_id)
    if row is None or row.duplicate_of is None:
        return None
    if row.plan_key is None:
        # what somebody sells this customer beside us is theirs to end, and their money
        log.warning("a subscription to no plan of ours is left alone", subscription=subscription_id)
        return None
    current = await stripe.fetch_subscription(call.runtime, subscription_id)
    if current.status not in OVER and not await _end(call.runtime, row.duplicate_of, subscription_id):
        return None
    refunded, currency = await _refund(call.runtime, subscription_id)
    return Ended(await ask_anew(call, subscription_id), refunded, currency)


async def _end(runtime: Runtime, other_id: str, subscription_id: str) -> bool:
    """Whether it has ended, because the one that it doubles still lives."""
    other = await stripe.fetch_subscription(runtime, other_id)
    if other.status in OVER:
        return False
    try:
        await stripe.end_subscription(runtime, subscription_id, prorate=False)
    except stripe.Refused as error:
        # somebody else has ended it since
        if not error.missing:
            raise
    return True


async def _refund(runtime: Runtime, subscription_id: str) -> tuple[int, str]:
    refunded, currency = 0, ""
    for invoice in await stripe.invoices_of(runtime, subscription_id):
        for payment in await stripe.payments_of(runtime, invoice.id) if invoice.amount_paid else ():
            if payment.payment.payment_intent is not None:
                refunded += await _give_back(runtime, subscription_id, payment.payment.payment_intent)
                currency = invoice.currency
    return refunded, currency


async def _give_back(runtime: Runtime, subscription_id: str, payment_id: str) -> int:
    try:
        key = f"tenantry:double:{subscription_id}:{payment_id}"
        return (await stripe.refund_payment(runtime, payment_id, key=key, reason="duplicate")).amount
    except stripe.Refused as error:
        if error.code not in GIVEN_BACK:
            raise
        log.warning("nothing to give back", why=error.code, payment=payment_id)
        return 0
