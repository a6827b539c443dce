"""Carrying out: what is kept as asked for is done at Stripe, by whoever asked or by a job that comes after them.

Each begins with what is true at Stripe, so that what was done before is not done again; what is true afterwards is
asked for once more, with a place of its own in the order of questions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from tenantry.billing import actions, stripe
from tenantry.billing.exchanges.asked import log
from tenantry.billing.exchanges.asking import ask_anew
from tenantry.billing.exchanges.checkouts import carry_out_checkout, look_at_checkout
from tenantry.billing.exchanges.customers import ANSWERED, carry_out_customer
from tenantry.billing.models import Intent, IntentKind, IntentState, Subscription
from tenantry.billing.models.changes import SERVED, Cancellation, NewTerms, Resumption, Stay
from tenantry.billing.models.subscriptions import OVER, counted
from tenantry.billing.problems import NotSubscribed
from tenantry.billing.stripe import shapes
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

Wanted = TypeVar("Wanted", NewTerms, Stay, Cancellation, Resumption)


class Named(msgspec.Struct, frozen=True):
    """What all intents about a subscription say."""

    subscription_id: str


async def carry_out_change(call: Call, intent: Intent) -> Subscription:
    """Have Stripe do what an intent wants of a subscription, and keep what it is then; a no is kept as well."""
    subscription_id = _read(intent, Named).subscription_id
    try:
        current = await stripe.fetch_subscription(call.runtime, subscription_id)
        await _DEEDS[intent.kind](call.runtime, intent, current)
    except (stripe.Refused, stripe.Declined) as error:
        await _settle(call, intent, subscription_id, "refused", str(error))
        raise
    row = await _settle(call, intent, subscription_id, "done", None)
    if row is None:
        raise NotSubscribed
    return row


Readable = TypeVar("Readable", bound=msgspec.Struct)


def _read(intent: Intent, kind: type[Readable]) -> Readable:
    return msgspec.json.decode(intent.params, type=kind)


async def _settle(
    call: Call, intent: Intent, subscription_id: str, state: IntentState, why: str | None
) -> Subscription | None:
    truth = await ask_anew(call, subscription_id)
    async with SystemWork(call, reason=ANSWERED) as work:
        return await actions.settle_change(
            work, intent=intent, truth=truth, state=state, why=why, subscription_id=subscription_id
        )


async def _change(runtime: Runtime, intent: Intent, current: shapes.Subscription) -> None:
    wanted = _read(intent, NewTerms)
    item = _plan_of(current)
    if (item.price.id, item.quantity) != (wanted.price_id, wanted.quantity):
        await stripe.change_subscription(
            runtime, current.id, key=intent.key,
            items=[{"id": item.id, "price": wanted.price_id, "quantity": wanted.quantity}],
            proration_behavior="none" if current.status == "trialing" else "always_invoice",
            payment_behavior="error_if_incomplete" if wanted.insists else "allow_incomplete",
        )  # fmt: skip
    # after the change: where the card is declined, what was planned stays as well
    if not wanted.keeps_later:
        await _release(runtime, intent, current)


def _plan_of(current: shapes.Subscription) -> shapes.Item:
    item = counted(current)
    if item is None:
        raise stripe.Refused("no_items", "items")
    return item


async def _later(runtime: Runtime, intent: Intent, current: shapes.Subscription) -> None:
    wanted = _read(intent, NewTerms)
    schedule = current.schedule
    if not isinstance(schedule, shapes.Schedule):
        schedule = await stripe.begin_schedule(runtime, current.id, key=f"{intent.key}:schedule")
    phases = _phases(current, schedule, wanted)
    await stripe.plan_phases(runtime, schedule.id, key=f"{intent.key}:phases", phases=phases)


def _phases(current: shapes.Subscription, schedule: shapes.Schedule, wanted: NewTerms) -> list[Mapping[str, Any]]:
    item, here = _plan_of(current), schedule.here
    # what else is subscribed to stays: what a phase does not name ends with it, and at once in the first
    beside = [{"price": one.price.id, "quantity": one.quantity} for one in current.items.data if one.id != item.id]
    if here is None:
        raise stripe.Refused("schedule_not_active", "schedule")
    # what a phase does not name it has not, so that a discount would be lost
    discounts = [given for one in here.discounts if (given := _discount(one))]
    now = {
        "items": [{"price": item.price.id, "quantity": item.quantity}, *beside],
        "start_date": here.start_date,
        "end_date": item.current_period_end or current.current_period_end,
    }
    then = {
        "items": [{"price": wanted.price_id, "quantity": wanted.quantity}, *beside],
        "duration": {"interval": wanted.interval, "interval_count": 1},
        "proration_behavior": "none",
    }
    more: dict[str, Any] = {"discounts": discounts} if discounts else {}
    return [now | more, then | more]


def _discount(one: shapes.PhaseDiscount) -> dict[str, str]:
    named = {"discount": one.discount, "promotion_code": one.promotion_code, "coupon": one.coupon}
    ids = {name: found for name, told in named.items() if (found := shapes.id_of(told)) is not None}
    return dict([next(iter(ids.items()))]) if ids else {}


async def _stay(runtime: Runtime, intent: Intent, current: shapes.Subscription) -> None:
    await _release(runtime, intent, current)


async def _cancel(runtime: Runtime, intent: Intent, current: shapes.Subscription) -> None:
    wanted = _read(intent, Cancellation)
    said = {"feedback": wanted.feedback, "comment": wanted.comment}
    details = {name: text for name, text in said.items() if text}
    if current.status in OVER:
        return
    # what is owed may have been paid since it was asked for, and what was paid no more: Stripe knows
    if current.status in SERVED:
        # one that a schedule holds is not told to end
        await _release(runtime, intent, current)
        await stripe.cancel_at_period_end(runtime, current.id, key=intent.key, **details)
        return
    await _release(runtime, intent, current)
    try:
        await stripe.end_subscription(runtime, current.id, prorate=False, **details)
    except stripe.Refused as error:
        # it has ended since it was looked at
        if not error.missing:
            raise


async def _resume(runtime: Runtime, intent: Intent, current: shapes.Subscription) -> None:
    if current.cancel_at_period_end:
        await stripe.resume_subscription(runtime, current.id, key=intent.key)
    elif current.cancel_at is not None and current.status not in OVER:
        await stripe.take_end_back(runtime, current.id, key=intent.key)


async def _release(runtime: Runtime, intent: Intent, current: shapes.Subscription) -> None:
    schedule_id = shapes.id_of(current.schedule)
    if schedule_id is not None:
        await stripe.release_schedule(runtime, schedule_id, key=f"{intent.key}:release")


Deed = Callable[[Runtime, Intent, shapes.Subscription], Awaitable[None]]
_DEEDS: Mapping[IntentKind, Deed] = {
    "change": _change, "later": _later, "stay": _stay, "cancel": _cancel, "resume": _resume,
}  # fmt: skip

CARRYING: Mapping[IntentKind, Callable[[Call, Intent], Awaitable[object]]] = {
    "customer": carry_out_customer,
    "checkout": carry_out_checkout,
    **dict.fromkeys(_DEEDS, carry_out_change),
}
"""How an intent of each kind is carried out."""


@exchange(requires=HOUSE)
async def finish_intent(call: Call, *, intent: Intent) -> bool:
    """Bring to an end what whoever asked did not: ask for it once more, or give it up; whether it is at its end."""
    if intent.state == "open":
        return await _finish(call, intent, look_at_checkout)
    async with SystemWork(call, reason=ANSWERED) as work:
        again = await actions.take_up_intent(work, org_id=intent.org_id, intent_id=intent.id)
        # who has cancelled is not charged again because Stripe, or our key, was away for a day
        if again is not None and again.attempt > actions.GIVEN_UP_AFTER and again.kind != "cancel":
            await actions.settle_intent(work, intent=again, state="refused", why="Stripe never answered")
            log.error("an intent is given up", kind=intent.kind, org=str(intent.org_id))
            return True
    return again is None or await _finish(call, again, CARRYING[again.kind])


async def _finish(call: Call, intent: Intent, carry: Callable[[Call, Intent], Awaitable[object]]) -> bool:
    try:
        await carry(call, intent)
    except (stripe.Refused, stripe.Declined) as error:
        log.warning("stripe refused", kind=intent.kind, why=str(error))
        async with SystemWork(call, reason=ANSWERED) as work:
            await actions.settle_intent(work, intent=intent, state="refused", why=str(error))
    except NotSubscribed:
        log.warning("a subscription of nobody was changed", kind=intent.kind)
    except (stripe.Unreachable, stripe.Misconfigured) as error:
        log.warning("stripe did not answer", kind=intent.kind, attempt=intent.attempt, why=str(error))
        return False
    return True
