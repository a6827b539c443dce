"""Asking: what a notice is about is asked for at Stripe, with no connection to the database held meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from tenantry.billing import actions, stripe
from tenantry.billing.models import Begun, Subject, Truth
from tenantry.billing.stripe import shapes
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

STRIPES = "what Stripe tells is the house's, until it is known whom it is about"


@exchange(requires=HOUSE)
async def ask_truth(call: Call, *, notice_id: str) -> tuple[Begun, Truth | None] | None:
    """Ask Stripe what is true of what a notice is about.

    None for a notice that is applied; no truth where Stripe was asked since the notice came.
    """
    async with SystemWork(call, reason=STRIPES) as work:
        begun = await actions.begin_notice(work, notice_id=notice_id)
    if begun is None:
        return None
    return begun, None if begun.overtaken else await _ASK[begun.subject](call.runtime, begun)


async def _of_subscription(runtime: Runtime, begun: Begun) -> Truth:
    return await with_subscription(runtime, begun.asked, begun.subject_id)


async def _of_invoice(runtime: Runtime, begun: Begun) -> Truth:
    return await _with_invoices(runtime, Truth(asked=begun.asked), (begun.subject_id,))


async def _of_customer(runtime: Runtime, begun: Begun) -> Truth:
    return Truth(asked=begun.asked, customer=await stripe.fetch_customer(runtime, begun.subject_id))


async def _of_checkout(runtime: Runtime, begun: Begun) -> Truth:
    session = await stripe.fetch_checkout(runtime, begun.subject_id)
    subscription = None if session.subscription is None else await _found(runtime, session.subscription)
    return Truth(asked=begun.asked, checkout=session, subscription=subscription)


async def _of_payment(runtime: Runtime, begun: Begun) -> Truth:
    payment = await stripe.fetch_payment(runtime, begun.subject_id)
    return await _with_invoices(runtime, Truth(asked=begun.asked, payment=payment), payment.invoices)


_ASK: Mapping[Subject, Callable[[Runtime, Begun], Awaitable[Truth]]] = {
    "subscription": _of_subscription,
    "invoice": _of_invoice,
    "customer": _of_customer,
    "checkout": _of_checkout,
    "payment": _of_payment,
}


async def with_subscription(runtime: Runtime, asked: int, subscription_id: str) -> Truth:
    """What is true of a subscription, or that there is none."""
    found = await _found(runtime, subscription_id)
    return Truth(asked=asked, gone=subscription_id) if found is None else truth_of(found, asked)


async def ask_anew(call: Call, subscription_id: str) -> Truth:
    """What is true of a subscription now, whatever was answered before: the question takes a place of its own."""
    async with SystemWork(call, reason=STRIPES) as work:
        asked = await actions.take_place(work)
    return await with_subscription(call.runtime, asked, subscription_id)


def truth_of(found: shapes.Subscription, asked: int) -> Truth:
    """What a subscription says, with its latest invoice, which tells whether and how often a payment was tried."""
    latest = found.latest_invoice
    return Truth(asked=asked, subscription=found, invoices=(latest,) if isinstance(latest, shapes.Invoice) else ())


async def _with_invoices(runtime: Runtime, truth: Truth, invoice_ids: tuple[str, ...]) -> Truth:
    invoices = tuple([one for each in invoice_ids if (one := await _invoice(runtime, each)) is not None])
    subscription_id = next((one.subscription_id for one in invoices if one.subscription_id), None)
    # a payment that failed or came makes another subscription of it
    subscription = None if subscription_id is None else await _found(runtime, subscription_id)
    return Truth(asked=truth.asked, payment=truth.payment, invoices=invoices, subscription=subscription)


async def _found(runtime: Runtime, subscription_id: str) -> shapes.Subscription | None:
    try:
        return await stripe.fetch_subscription(runtime, subscription_id)
    except stripe.Refused as error:
        if error.missing:
            return None
        raise


async def _invoice(runtime: Runtime, invoice_id: str) -> shapes.Invoice | None:
    try:
        return await stripe.fetch_invoice(runtime, invoice_id)
    except stripe.Refused as error:
        # a draft can be deleted
        if error.missing:
            return None
        raise
