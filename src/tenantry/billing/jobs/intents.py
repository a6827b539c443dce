"""What was asked of Stripe is brought to an end when whoever asked is gone, a double ended, and seats bought."""

from __future__ import annotations

from uuid import UUID

from tenantry.billing import actions, exchanges, stripe
from tenantry.billing.events import SubscriptionChanged, SubscriptionDoubled, SubscriptionStarted
from tenantry.billing.exchanges.doubling import DOUBLED
from tenantry.billing.problems import BillingBusy, NotSubscribed
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.jobs.handler import GiveUp, Job, Snooze, every, on
from tenantry.foundation.logs import get_logger
from tenantry.foundation.work import SystemWork
from tenantry.orgs.events import InviteResent, InviteSent, MemberJoined

log = get_logger("tenantry.billing")
AT_ONCE = 50
"""Intents of one run."""
SOON, LATE = 5.0, 300.0
"""Seconds until a change that is on its way is over, about; and between two looks while Stripe does not answer."""
ANYBODYS = "whoever asked is gone, and it may be any organization's"


@every(minutes=1, queue="billing", timeout=600.0)
async def finish_intents(job: Job) -> None:
    """Ask Stripe once more for what nobody heard the answer to, and look at checkouts whose time is over."""
    if not job.runtime.section(BillingSettings).on:
        return
    async with SystemWork(job.call, reason=ANYBODYS, reading=True) as work:
        stale = await actions.stale_intents(work, most=AT_ONCE)
    for intent in stale:
        try:
            await exchanges.finish_intent(job.call, intent=intent)
        except Exception:
            # one that cannot be brought to an end keeps no other from it
            log.exception("an intent cannot be brought to an end", kind=intent.kind, org=str(intent.org_id))


@on(SubscriptionDoubled, queue="billing")
async def end_doubled(job: Job, event: SubscriptionDoubled) -> None:
    """End the newer of two subscriptions, and give back what was paid for it."""
    if not job.runtime.section(BillingSettings).on:
        return
    try:
        ended = await exchanges.end_double(job.call, org_id=event.org_id, subscription_id=event.subscription)
    except stripe.Refused as error:
        raise GiveUp(str(error)) from error
    if ended is None:
        return
    async with job.work(reason=DOUBLED) as work:
        await actions.keep_double_ended(
            work, org_id=event.org_id, subscription_id=event.subscription, truth=ended.truth,
            refunded=ended.refunded, currency=ended.currency,
        )  # fmt: skip


@on(InviteSent, queue="billing")
async def grow_for_invite(job: Job, event: InviteSent) -> None:
    """Buy a seat for who is invited, where seats grow."""
    await _grow(job, event.org_id)


@on(InviteResent, queue="billing")
async def grow_for_invite_again(job: Job, event: InviteResent) -> None:
    """Buy a seat for whose invite had run out, and with it their seat."""
    await _grow(job, event.org_id)


# who came while something was owed, while it was to end, before a smaller number that was planned, or before it began
@on(SubscriptionChanged, queue="billing")
async def grow_for_change(job: Job, event: SubscriptionChanged) -> None:
    """Buy seats for who came when none could be bought."""
    await _grow(job, event.org_id)


@on(SubscriptionStarted, queue="billing")
async def grow_for_start(job: Job, event: SubscriptionStarted) -> None:
    """Buy seats for who came while the first ones were being paid."""
    await _grow(job, event.org_id)


@on(MemberJoined, queue="billing")
async def grow_for_member(job: Job, event: MemberJoined) -> None:
    """Buy a seat for who has joined, where seats grow."""
    await _grow(job, event.org_id)


async def _grow(job: Job, org_id: UUID) -> None:
    if not job.runtime.section(BillingSettings).on:
        return
    try:
        await exchanges.grow_seats(job.call, org_id=org_id)
    except BillingBusy as error:
        raise Snooze(after=min(SOON * 2 ** min(job.attempt - 1, 10), LATE)) from error
    except (stripe.StripeFailed, NotSubscribed) as error:
        # it is kept: what Stripe did not answer is asked for again by itself, and what it refused never
        log.warning("seats did not grow", why=str(error))
