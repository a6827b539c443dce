"""Closing: what goes on at Stripe for an organization ends before it is forgotten which customer it was.

Stripe is asked what there is, and not our rows: somebody may have paid a moment ago.
"""

from __future__ import annotations

from uuid import UUID

from tenantry.billing import actions, queries, stripe
from tenantry.billing.exchanges.asking import ask_anew
from tenantry.billing.exchanges.checkouts import close_checkout
from tenantry.billing.models import Truth
from tenantry.billing.models.subscriptions import OVER
from tenantry.billing.stripe import shapes
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

CLOSED = "a closed organization has no members who could"
MISSING = "resource_missing"
STEPS = 2
"""Of a checkout that is to be closed: one that nobody heard the answer to is opened first."""


@exchange(requires=HOUSE)
async def close_open_checkout(call: Call, *, org_id: UUID) -> None:
    """Let nobody pay any more on the page that an organization has open."""
    for _ in range(STEPS):
        async with SystemWork(call, reason=CLOSED, reading=True) as work:
            intent = await queries.intent_under_way(work, org_id=org_id, kind="checkout")
        if intent is None:
            return
        try:
            await close_checkout(call, intent)
        except stripe.Refused as error:
            if error.code != MISSING:
                raise
            # what Stripe does not know, nobody can pay on
            return


@exchange(requires=HOUSE)
async def let_nothing_go_on(call: Call, *, org_id: UUID) -> None:
    """Let what was paid for while an organization was being closed run out: nobody in it could cancel that."""
    async with SystemWork(call, reason=CLOSED, reading=True) as work:
        ids = await queries.going_on_closed(work, org_id=org_id)
    for subscription_id in ids:
        key = f"tenantry:closed:{org_id}:{subscription_id}"
        await stripe.cancel_at_period_end(call.runtime, subscription_id, key=key)
        truth = await ask_anew(call, subscription_id)
        async with SystemWork(call, reason=CLOSED) as work:
            await actions.apply_answer(work, org_id=org_id, truth=truth)


@exchange(requires=HOUSE)
async def end_everything(call: Call, *, org_id: UUID) -> None:
    """End at once what an organization pays for whose purge is due; of one that was opened again, nothing."""
    async with SystemWork(call, reason=CLOSED, reading=True) as work:
        customer_id = await queries.customer_to_end(work, org_id=org_id)
    if customer_id is None:
        return
    # a checkout lives for a day, and nobody opens one for what is closed: nothing begins behind our back
    for found in await _subscriptions(call, customer_id):
        if found.status not in OVER:
            await _end(call, org_id, found.id)
    async with SystemWork(call, reason=CLOSED) as work:
        await actions.keep_ended(work, org_id=org_id)


async def _subscriptions(call: Call, customer_id: str) -> list[shapes.Subscription]:
    try:
        return await stripe.subscriptions_of(call.runtime, customer_id)
    except stripe.Refused as error:
        if error.code != MISSING:
            raise
        return []


async def _end(call: Call, org_id: UUID, subscription_id: str) -> None:
    async with SystemWork(call, reason=CLOSED) as work:
        asked = await actions.take_place(work)
    try:
        truth = Truth(asked=asked, subscription=await _ended(call, subscription_id))
    except stripe.Refused as error:
        if error.code != MISSING:
            raise
        truth = Truth(asked=asked, gone=subscription_id)
    async with SystemWork(call, reason=CLOSED) as work:
        await actions.apply_answer(work, org_id=org_id, truth=truth)


async def _ended(call: Call, subscription_id: str) -> shapes.Subscription:
    # nothing is paid back by itself: what was paid for was there until now
    return await stripe.end_subscription(call.runtime, subscription_id, prorate=False)
