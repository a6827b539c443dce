"""Reconciling: rows that are not as at Stripe become so, and what it told and nobody heard is kept after all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tenantry.billing import queries
from tenantry.billing.actions.applying import TOLD
from tenantry.billing.actions.invoices import keep_invoice
from tenantry.billing.actions.notices import keep_notice
from tenantry.billing.actions.standing import is_settled
from tenantry.billing.actions.subscriptions import end_unknown, keep_subscription
from tenantry.billing.models import Invoice, Round, Subscription, ToApply, Told, Truth, invoices, subscriptions
from tenantry.billing.stripe import shapes
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import one, run, values
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork


class Place(msgspec.Struct, frozen=True):
    """A place in the order of questions."""

    place: int


class Compared(msgspec.Struct, frozen=True):
    """What a page of Stripe's subscriptions is to ours: those that differ, and how many are of nobody here."""

    differing: list[shapes.Subscription]
    unknown: int


next_place = one(Place, "select nextval('tenantry.stripe_order') as place", not_null=("place",))


@action(requires=HOUSE)
async def take_place(work: SystemWork) -> int:
    """Take a place in the order of questions, before the question is asked."""
    return (await next_place(work)).place


# a row that changed since it was compared answers another question, and is left alone
confirm_rows = run("""
    update tenantry.subscriptions
       set fetched = :asked, fetched_at = tenantry.now()
      from unnest(:ids::text[], :places::bigint[]) as seen (id, place)
     where subscriptions.id = seen.id
       and subscriptions.fetched = seen.place
       and seen.place < :asked
""")


@action(requires=HOUSE)
async def compare_subscriptions(work: SystemWork, *, told: Sequence[shapes.Subscription], asked: int) -> Compared:
    """Say of our rows that are as at Stripe that they are, and which are not."""
    ours = set(await queries.customers_known(work, customer_ids=[each.customer for each in told]))
    rows = {row.id: row for row in await queries.subscriptions_by_ids(work, ids=[each.id for each in told])}
    latest = [each.latest_invoice.id for each in told if isinstance(each.latest_invoice, shapes.Invoice)]
    kept = {row.id: row for row in await queries.invoices_by_ids(work, ids=latest)}
    known = [each for each in told if each.customer in ours]
    differing = [each for each in known if not _same(each, rows.get(each.id), kept, asked)]
    left = {each.id for each in differing}
    same = [rows[each.id] for each in known if each.id not in left]
    orgs = {row.org_id: row.id for row in await queries.orgs_of_subscriptions(work, ids=[row.id for row in same])}
    unsettled = {id for org_id, id in orgs.items() if not await is_settled(work, org_id)}
    differing += [each for each in known if each.id in unsettled]
    same = [row for row in same if row.id not in unsettled]
    await confirm_rows(work, asked=asked, ids=[row.id for row in same], places=[row.fetched for row in same])
    return Compared(differing, len(told) - len(known))


def _same(told: shapes.Subscription, row: Subscription | None, kept: Mapping[str, Invoice], asked: int) -> bool:
    if row is None:
        return False
    if row.fetched > asked:
        return True
    return subscriptions.as_kept(told, row, fetched=row.fetched) == row and _same_invoice(told.latest_invoice, kept)


def _same_invoice(told: object, kept: Mapping[str, Invoice]) -> bool:
    if not isinstance(told, shapes.Invoice):
        return True
    row = kept.get(told.id)
    return row is not None and invoices.as_kept(told, row.customer_id, row, fetched=row.fetched) == row


@action(requires=HOUSE, records=TOLD)
async def mend_rows(work: SystemWork, *, truth: Truth) -> int | None:
    """Let our rows say what Stripe answered without having told; how many differed, or None where nobody is it."""
    customer_id = truth.customer_id
    if truth.gone is not None:
        customer_id = await queries.customer_of_subscription(work, id=truth.gone)
    org_id = await queries.org_of_customer_for_update(work, customer_id=customer_id or "")
    if org_id is None:
        return None
    changed = 0
    if truth.subscription is not None:
        changed += await keep_subscription(work, org_id, truth.subscription, asked=truth.asked)
    if truth.gone is not None:
        changed += await end_unknown(work, org_id, truth.gone, asked=truth.asked)
    for invoice in truth.invoices:
        changed += await keep_invoice(work, org_id, invoice, truth)
    return changed


@action(requires=HOUSE)
async def hear_late(work: SystemWork, *, told: Mapping[str, tuple[Told, str]]) -> int:
    """Keep of what Stripe says that it told what never came; says how much that is."""
    heard = set(await queries.notices_heard(work, ids=list(told)))
    kept = [
        await keep_notice(work, told=each, payload=payload) for id, (each, payload) in told.items() if id not in heard
    ]
    return sum(kept)


# a few times only: what a notice says of its customer may be wrong
let_orphans_wait = values(
    str,
    """
    update tenantry.stripe_notices
       set state = 'waiting', last_error = null, handled_at = null
     where id in (select notices.id
                    from tenantry.stripe_notices as notices
                    join tenantry.stripe_customers as customers on customers.customer_id = notices.customer_id
                   where notices.state = 'orphaned'
                     and notices.attempts < :attempts
                   order by notices.received_at, notices.id
                   limit :most
                     for update of notices skip locked)
 returning id
    """,
)
ORPHAN_ATTEMPTS = 5
"""How often a notice is tried whose customer is known, and which is about nobody all the same."""


@action(requires=HOUSE)
async def replay_orphans(work: SystemWork, *, most: int) -> int:
    """Have notices applied that came before their customer was known; says how many."""
    ids = await let_orphans_wait(work, attempts=ORPHAN_ATTEMPTS, most=most)
    for notice_id in ids:
        work.enqueue(ToApply(notice_id).asked())
    return len(ids)


keep_position = run("""
    insert into tenantry.stripe_reconciling (heard_until, looked, differed, lost)
    values (to_timestamp(:heard_until::double precision), :looked, :differed, :lost)
        on conflict (singular) do update
       set heard_until = greatest(stripe_reconciling.heard_until, excluded.heard_until), compared_at = tenantry.now(),
           looked = excluded.looked, differed = excluded.differed, lost = excluded.lost
""")


@action(requires=HOUSE)
async def end_round(work: SystemWork, *, over: Round) -> None:
    """Remember that everything was compared, so that the next time begins where this one began."""
    await keep_position(work, heard_until=over.began_at, looked=over.looked, differed=over.differed, lost=over.lost)
