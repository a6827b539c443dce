"""Applying: what Stripe answered becomes our rows, in one commit with what that means.

Whom it is about is said by the customer that we stored, never by what came from outside. Answers to questions that were
asked before the one that a row answers come too late, and change nothing.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.billing import queries
from tenantry.billing.actions.checkouts import end_checkout
from tenantry.billing.actions.invoices import keep_invoice
from tenantry.billing.actions.subscriptions import end_unknown, keep_subscription
from tenantry.billing.events import (
    CheckoutEnded,
    CustomerGone,
    InvoicePaid,
    PaymentFailed,
    PaymentReversed,
    SubscriptionChanged,
    SubscriptionDoubled,
    SubscriptionEnded,
    SubscriptionStarted,
    TrialEnding,
)
from tenantry.billing.models import TRIAL_ENDING, Begun, Truth
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

How = Literal["changed", "same", "overtaken", "orphaned"]
NOBODYS = "no organization is this customer"

# held, so that of two attempts at one notice the second finds it applied
held = value(str, "select state from tenantry.stripe_notices where id = :id for update")

# what it said is of no use any more, and names people
say_applied = run("""
    update tenantry.stripe_notices
       set state = 'applied', handled_at = tenantry.now(), last_error = null, payload = null
     where id = :id
""")

say_orphaned = run("""
    update tenantry.stripe_notices
       set state = 'orphaned', handled_at = tenantry.now(), last_error = :why
     where id = :id
""")


TOLD = (
    SubscriptionStarted, SubscriptionChanged, SubscriptionEnded, SubscriptionDoubled, TrialEnding, PaymentFailed,
    InvoicePaid, PaymentReversed, CustomerGone, CheckoutEnded,
)  # fmt: skip
"""What can have happened by what Stripe answers."""


@action(requires=HOUSE, records=TOLD)
async def apply_answer(work: SystemWork, *, org_id: UUID, truth: Truth) -> bool:
    """Let our rows say what Stripe answered to somebody of the organization; whether anything is new."""
    await queries.hold_customer_of_org(work, org_id=org_id)
    return await _settle(work, org_id, truth)


@action(requires=HOUSE, records=TOLD)
async def apply_truth(work: SystemWork, *, begun: Begun, truth: Truth | None) -> How:
    """Let our rows say what Stripe answered about a notice; without an answer, a later one has said it already."""
    if await held(work, id=begun.id) in (None, "applied"):
        return "same"
    if truth is None:
        await say_applied(work, id=begun.id)
        return "overtaken"
    customer_id = truth.customer_id
    if truth.gone is not None:
        customer_id = await queries.customer_of_subscription(work, id=truth.gone)
    org_id = await queries.org_of_customer_for_update(work, customer_id=customer_id or "")
    if org_id is None and (customer_id is not None or truth.gone is not None):
        await say_orphaned(work, id=begun.id, why=NOBODYS)
        return "orphaned"
    changed = org_id is not None and await _settle(work, org_id, truth, told_ahead=begun.type == TRIAL_ENDING)
    await say_applied(work, id=begun.id)
    return "changed" if changed else "same"


async def _settle(work: SystemWork, org_id: UUID, truth: Truth, *, told_ahead: bool = False) -> bool:
    changed = False
    if truth.subscription is not None:
        changed |= await keep_subscription(work, org_id, truth.subscription, asked=truth.asked, told_ahead=told_ahead)
    if truth.gone is not None:
        changed |= await end_unknown(work, org_id, truth.gone, asked=truth.asked)
    for invoice in truth.invoices:
        changed |= await keep_invoice(work, org_id, invoice, truth)
    if truth.customer is not None and truth.customer.deleted:
        changed |= await _lose_customer(work, org_id, truth.customer.id)
    if truth.checkout is not None:
        changed |= await end_checkout(work, org_id, truth.checkout)
    return changed


say_gone = run("""
    update tenantry.stripe_customers
       set gone_at = tenantry.now()
     where org_id = :org_id
       and gone_at is null
""")


async def _lose_customer(work: SystemWork, org_id: UUID, customer_id: str) -> bool:
    if not await say_gone(work, org_id=org_id):
        return False
    work.record(CustomerGone(org_id=org_id, customer=customer_id))
    return True
