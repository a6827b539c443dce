"""How a subscription's row becomes what Stripe said, and what is recorded of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from tenantry.billing import queries
from tenantry.billing.actions.standing import settle_standing
from tenantry.billing.events import (
    SubscriptionChanged,
    SubscriptionDoubled,
    SubscriptionEnded,
    SubscriptionStarted,
    TrialEnding,
)
from tenantry.billing.models import Subscription, changed_fields, settle_duplicates, subscriptions
from tenantry.billing.stripe import shapes
from tenantry.foundation.data.sql import run
from tenantry.foundation.work import SystemWork

put_subscription = run("""
    insert into tenantry.subscriptions
           (org_id, id, customer_id, status, plan_key, plan_version, price_id, item_id, quantity, period_start,
            period_end, trial_end, cancel_at, cancel_at_period_end, ended_at, past_due_since, latest_invoice_id,
            collection_paused, collection_resumes_at, created_at, trial_told_for, duplicate_of, fetched, "interval",
            currency, unit_amount, schedule_id, later_price_id, later_plan, later_version, later_interval,
            later_quantity, later_at)
    values (:org_id, :id, :customer_id, :status, :plan_key, :plan_version, :price_id, :item_id, :quantity,
            :period_start, :period_end, :trial_end, :cancel_at, :cancel_at_period_end, :ended_at, :past_due_since,
            :latest_invoice_id, :collection_paused, :collection_resumes_at, :created_at, :trial_told_for,
            :duplicate_of, :fetched, :interval, :currency, :unit_amount, :schedule_id, :later_price_id, :later_plan,
            :later_version, :later_interval, :later_quantity, :later_at)
        on conflict (org_id, id) do update
       set status = excluded.status, plan_key = excluded.plan_key, plan_version = excluded.plan_version,
           price_id = excluded.price_id, item_id = excluded.item_id, quantity = excluded.quantity,
           period_start = excluded.period_start, period_end = excluded.period_end, trial_end = excluded.trial_end,
           cancel_at = excluded.cancel_at, cancel_at_period_end = excluded.cancel_at_period_end,
           ended_at = excluded.ended_at, past_due_since = excluded.past_due_since,
           latest_invoice_id = excluded.latest_invoice_id, collection_paused = excluded.collection_paused,
           collection_resumes_at = excluded.collection_resumes_at, trial_told_for = excluded.trial_told_for,
           duplicate_of = excluded.duplicate_of, fetched = excluded.fetched, fetched_at = tenantry.now(),
           "interval" = excluded."interval", currency = excluded.currency, unit_amount = excluded.unit_amount,
           schedule_id = excluded.schedule_id, later_price_id = excluded.later_price_id,
           later_plan = excluded.later_plan, later_version = excluded.later_version,
           later_interval = excluded.later_interval, later_quantity = excluded.later_quantity,
           later_at = excluded.later_at
""")

set_duplicate = run("""
    update tenantry.subscriptions
       set duplicate_of = :duplicate_of
     where org_id = :org_id
       and id = :id
""")


async def keep_subscription(
    work: SystemWork, org_id: UUID, told: shapes.Subscription, *, asked: int, told_ahead: bool = False
) -> bool:
    """Keep what Stripe said of a subscription, the organization's customer held; whether anything is new."""
    rows = await queries.subscriptions_of_org(work, org_id=org_id)
    known = next((row for row in rows if row.id == told.id), None)
    if known is not None and known.fetched > asked:
        return False
    row = subscriptions.as_kept(told, known, fetched=asked)
    if told_ahead and row.status == "trialing" and row.trial_end not in (None, row.trial_told_for):
        row = msgspec.structs.replace(row, trial_told_for=row.trial_end)
    return await _put(work, org_id, row, known, [one for one in rows if one.id != row.id])


async def end_unknown(work: SystemWork, org_id: UUID, subscription_id: str, *, asked: int) -> bool:
    """A subscription that Stripe knows no more is over."""
    rows = await queries.subscriptions_of_org(work, org_id=org_id)
    known = next((row for row in rows if row.id == subscription_id), None)
    if known is None or known.over or known.fetched > asked:
        return False
    row = msgspec.structs.replace(known, status="canceled", past_due_since=None, fetched=asked)
    return await _put(work, org_id, row, known, [one for one in rows if one.id != row.id])


async def _put(
    work: SystemWork, org_id: UUID, row: Subscription, known: Subscription | None, others: Sequence[Subscription]
) -> bool:
    doubles = settle_duplicates([*others, row])
    if row.live:
        row = msgspec.structs.replace(row, duplicate_of=doubles[row.id])
    # one statement after the other, because of the live ones only one may ever double none
    await _double(work, org_id, others, {one: other for one, other in doubles.items() if other is not None})
    await put_subscription(work, org_id=org_id, **msgspec.structs.asdict(row))
    await _double(work, org_id, others, {one: None for one, other in doubles.items() if other is None})
    _record_doubles(work, org_id, [*others, *([] if known is None else [known])], doubles)
    changed = _record(work, org_id, row, known)
    await settle_standing(work, org_id)
    return changed


async def _double(
    work: SystemWork, org_id: UUID, others: Sequence[Subscription], doubles: Mapping[str, str | None]
) -> None:
    for other in others:
        if other.id in doubles and other.duplicate_of != doubles[other.id]:
            await set_duplicate(work, org_id=org_id, id=other.id, duplicate_of=doubles[other.id])


def _record_doubles(
    work: SystemWork, org_id: UUID, before: Sequence[Subscription], doubles: Mapping[str, str | None]
) -> None:
    told = {row.id for row in before if row.duplicate_of is not None}
    for one, other in doubles.items():
        if other is not None and one not in told:
            work.record(SubscriptionDoubled(org_id=org_id, subscription=one, doubles=other))


def _record(work: SystemWork, org_id: UUID, row: Subscription, known: Subscription | None) -> bool:
    fields = ("status",) if known is None else changed_fields(known, row)
    if row.trial_end is not None and row.trial_told_for != (None if known is None else known.trial_told_for):
        work.record(TrialEnding(org_id=org_id, subscription=row.id, trial_end=row.trial_end))
    if row.live and (known is None or not known.live):
        work.record(_started(org_id, row))
    elif row.over and (known is None or not known.over):
        work.record(SubscriptionEnded(org_id=org_id, subscription=row.id, status=row.status, ended_at=row.ended_at))
    elif fields:
        work.record(_changed(org_id, row, fields), was=None if known is None else _shown(known))
    return bool(fields)


def _started(org_id: UUID, row: Subscription) -> SubscriptionStarted:
    return SubscriptionStarted(
        org_id=org_id, subscription=row.id, status=row.status, plan=row.plan_key, plan_version=row.plan_version,
        price=row.price_id, quantity=row.quantity, period_end=row.period_end, trial_end=row.trial_end,
        interval=row.interval, currency=row.currency, unit_amount=row.unit_amount,
    )  # fmt: skip


def _changed(org_id: UUID, row: Subscription, fields: tuple[str, ...]) -> SubscriptionChanged:
    return SubscriptionChanged(
        org_id=org_id, subscription=row.id, fields=fields, status=row.status, plan=row.plan_key,
        plan_version=row.plan_version, price=row.price_id, quantity=row.quantity, period_end=row.period_end,
        trial_end=row.trial_end, cancel_at=row.cancel_at, cancel_at_period_end=row.cancel_at_period_end,
        past_due_since=row.past_due_since, collection_paused=row.collection_paused, interval=row.interval,
        currency=row.currency, unit_amount=row.unit_amount,
    )  # fmt: skip


def _shown(row: Subscription) -> dict[str, object]:
    return {
        "subscription": row.id,
        "status": row.status,
        "plan": row.plan_key,
        "quantity": row.quantity,
        "cancel_at_period_end": row.cancel_at_period_end,
    }
