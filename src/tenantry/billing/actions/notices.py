"""Notices: kept with their job in one commit, begun, given up, asked for anew, and swept."""

from __future__ import annotations

from datetime import timedelta

from tenantry.billing.models import Begun, ToApply, Told
from tenantry.billing.problems import NoticeApplied
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe, run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import SystemWork

KEPT = timedelta(days=400)
"""How long it is remembered that a notice came."""
PAYLOAD_KEPT = timedelta(days=30)
"""How long what a notice said is kept where it could not be applied; Stripe itself remembers it no longer."""

# no lock and no look before: the key decides between two that bring the same
keep_if_new = value(
    int,
    """
    insert into tenantry.stripe_notices (id, type, api_version, livemode, account, subject, subject_id, customer_id,
                                         payload)
    values (:id, :type, :api_version, :livemode, :account, :subject, :subject_id, :customer_id, :payload)
        on conflict (id) do nothing
 returning number
    """,
)


@action(requires=HOUSE)
async def keep_notice(work: SystemWork, *, told: Told, payload: str) -> bool:
    """Keep what Stripe told and ask for it to be applied; whether it is the first time that this event came."""
    number = await keep_if_new(
        work, id=told.id, type=told.type, api_version=told.api_version, livemode=told.livemode, account=told.account,
        subject=told.subject, subject_id=told.subject_id, customer_id=told.customer_id, payload=payload,
    )  # fmt: skip
    if number is None:
        return False
    work.enqueue(ToApply(told.id).asked())
    return True


count_attempt = maybe(
    Begun,
    """
    update tenantry.stripe_notices
       set attempts = attempts + 1
     where id = :id
       and state <> 'applied'
 returning id, number, type, subject, subject_id, state, nextval('tenantry.stripe_order') as asked,
           case subject
                when 'subscription'
                then (select fetched from tenantry.subscriptions where subscriptions.id = stripe_notices.subject_id)
                when 'invoice'
                then (select fetched from tenantry.invoices where invoices.id = stripe_notices.subject_id)
           end as known
    """,
    not_null=("asked",),
)


@action(requires=HOUSE)
async def begin_notice(work: SystemWork, *, notice_id: str) -> Begun | None:
    """Count an attempt at a notice and take its place in the order of questions; None where it is applied."""
    return await count_attempt(work, id=notice_id)


say_failed = run("""
    update tenantry.stripe_notices
       set last_error = :why, state = case when :over then 'failed' else state end,
           handled_at = case when :over then tenantry.now() else handled_at end
     where id = :id
       and state <> 'applied'
""")


@action(requires=HOUSE)
async def fail_notice(work: SystemWork, *, notice_id: str, why: str, over: bool) -> None:
    """Say with a notice why it could not be applied, and whether nobody tries again by themselves."""
    await say_failed(work, id=notice_id, why=why, over=over)


state_for_update = value(str, "select state from tenantry.stripe_notices where id = :id for update")
let_wait = run("""
    update tenantry.stripe_notices
       set state = 'waiting', last_error = null, handled_at = null
     where id = :id
""")


@action(requires=HOUSE)
async def replay_notice(work: SystemWork, *, notice_id: str) -> None:
    """Ask once more for a notice to be applied that failed, or that was about nobody; it is not told to anybody."""
    state = await state_for_update(work, id=notice_id)
    if state is None:
        raise NotFound
    if state == "applied":
        raise NoticeApplied
    await let_wait(work, id=notice_id)
    work.enqueue(ToApply(notice_id).asked())
    work.note("billing:notice:replayed", after={"notice": notice_id, "state": state})


forget_old = run("""
    delete from tenantry.stripe_notices
     where id in (select id
                    from tenantry.stripe_notices
                   where received_at < tenantry.now() - :kept::interval
                   order by received_at, id
                   limit :most)
""")

forget_old_payloads = run("""
    update tenantry.stripe_notices
       set payload = null
     where id in (select id
                    from tenantry.stripe_notices
                   where state <> 'applied'
                     and received_at < tenantry.now() - :kept::interval
                     and payload is not null
                   limit :most)
""")


@action(requires=HOUSE)
async def sweep_notices(work: SystemWork, *, most: int) -> int:
    """Forget notices of long ago, and what those said that nobody could apply; says how many rows that touched."""
    return await forget_old(work, kept=KEPT, most=most) + await forget_old_payloads(work, kept=PAYLOAD_KEPT, most=most)
