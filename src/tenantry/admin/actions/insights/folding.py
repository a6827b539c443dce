"""Folding the log into insights: a batch is summed up here, and written with a few statements in its one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from tenantry.admin.actions.insights.counting import OF_ORGS, OF_PEOPLE, Tally
from tenantry.admin.actions.insights.paying import SAYS, put
from tenantry.admin.models.insights import Books, Standing
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import many, run, values
from tenantry.foundation.events.consumer import ConsumerWork
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.log import Logged
from tenantry.foundation.events.versions import Unreadable
from tenantry.foundation.permission import HOUSE
from tenantry.orgs.events import OrgPurged

_READ: tuple[type[Event], ...] = (*OF_PEOPLE, *OF_ORGS, *SAYS, OrgPurged)
NEEDED = frozenset(event.kind for event in _READ)
"""Events that must be readable; of any other only who did it is asked."""

standings_of = many(
    Standing,
    """
    select org_id, subscription, number, status, plan, currency, monthly, doubles
      from tenantry.insight_subscriptions
     where org_id = any (:orgs::uuid[])
       and generation = :generation
    """,
)
paid_before = values(
    UUID,
    """
    select distinct org_id
      from tenantry.insight_movements
     where org_id = any (:orgs::uuid[])
       and generation = :generation
    """,
)
count_people = run("""
    insert into tenantry.insight_people as known (generation, measure, day, user_id, count)
    select :generation, measure, day, user_id, count
      from unnest(:measures::text[], :days::date[], :whose::uuid[], :counts::bigint[])
           as counted (measure, day, user_id, count)
        on conflict (generation, measure, day, user_id) do update set count = known.count + excluded.count
""")
count_orgs = run("""
    insert into tenantry.insight_orgs as known (org_id, generation, measure, day, count)
    select org_id, :generation, measure, day, count
      from unnest(:measures::text[], :days::date[], :whose::uuid[], :counts::bigint[])
           as counted (measure, day, org_id, count)
        on conflict (org_id, generation, measure, day) do update set count = known.count + excluded.count
""")
keep_standings = run("""
    insert into tenantry.insight_subscriptions as known
           (org_id, generation, subscription, number, status, plan, currency, monthly, doubles)
    select org_id, :generation, subscription, number, status, plan, currency, monthly, doubles
      from unnest(:orgs::uuid[], :subscriptions::text[], :numbers::bigint[], :statuses::text[], :plans::text[],
                  :currencies::text[], :monthlies::bigint[], :doubles::text[])
           as standing (org_id, subscription, number, status, plan, currency, monthly, doubles)
        on conflict (org_id, generation, subscription) do update
       set number = excluded.number, status = excluded.status, plan = excluded.plan, currency = excluded.currency,
           monthly = excluded.monthly, doubles = excluded.doubles
""")
keep_movements = run("""
    insert into tenantry.insight_movements as known (org_id, generation, day, sort, currency, amount)
    select org_id, :generation, day, sort, currency, amount
      from unnest(:orgs::uuid[], :days::date[], :sorts::text[], :currencies::text[], :amounts::bigint[])
           as moved (org_id, day, sort, currency, amount)
        on conflict (org_id, generation, day, sort, currency) do update set amount = known.amount + excluded.amount
""")
# what a generation still read of an organization while that was being purged
drop_purged = run("""
    with counted as (
        delete from tenantry.insight_orgs where org_id = any (:orgs::uuid[]) and generation = :generation
    ), stood as (
        delete from tenantry.insight_subscriptions where org_id = any (:orgs::uuid[]) and generation = :generation
    )
    delete from tenantry.insight_movements where org_id = any (:orgs::uuid[]) and generation = :generation
""")
# a row of each that was removed, so that it is asked for again until none of them has any
clear_insights = run("""
    with people as (
        delete from tenantry.insight_people
         where (generation, measure, day, user_id) in (select generation, measure, day, user_id
                                                         from tenantry.insight_people
                                                        where generation = :generation
                                                        limit :most)
     returning 1
    ), orgs as (
        delete from tenantry.insight_orgs
         where (org_id, generation, measure, day) in (select org_id, generation, measure, day
                                                        from tenantry.insight_orgs
                                                       where generation = :generation
                                                       limit :most)
     returning 1
    ), movements as (
        delete from tenantry.insight_movements
         where (org_id, generation, day, sort, currency) in (select org_id, generation, day, sort, currency
                                                               from tenantry.insight_movements
                                                              where generation = :generation
                                                              limit :most)
     returning 1
    ), standings as (
        delete from tenantry.insight_subscriptions
         where (org_id, generation, subscription) in (select org_id, generation, subscription
                                                        from tenantry.insight_subscriptions
                                                       where generation = :generation
                                                       limit :most)
     returning 1
    )
    select from people union all select from orgs union all select from movements union all select from standings
""")


@action(requires=HOUSE)
async def fold_insights(work: ConsumerWork, *, happened: Sequence[Logged]) -> None:
    """Add what happened to the insights of the generation that is being written."""
    orgs = {one.org_id for one in happened if isinstance(one.event, SAYS) and one.org_id is not None}
    known = {"orgs": sorted(orgs), "generation": work.generation}
    books = Books(await standings_of(work, **known), await paid_before(work, **known)) if orgs else Books((), ())
    tally, purged = Tally(), set[UUID]()
    for one in happened:
        _take(books, tally, purged, one)
    await _write_counts(work, tally)
    await _write_books(work, books)
    if purged:
        await drop_purged(work, orgs=sorted(purged), generation=work.generation)


def _take(books: Books, tally: Tally, purged: set[UUID], one: Logged) -> None:
    if one.event is None and one.kind in NEEDED:
        raise Unreadable(f"{one.kind} cannot be counted, because it cannot be read")
    tally.count(one)
    if isinstance(one.event, SAYS):
        put(books, tally, one)
    elif isinstance(one.event, OrgPurged):
        purged.add(one.event.purged_id)
        tally.forget(one.event.purged_id)
        books.forget(one.event.purged_id)


async def _write_counts(work: ConsumerWork, tally: Tally) -> None:
    if tally.people:
        await count_people(work, generation=work.generation, **_columns(tally.people))
    if tally.orgs:
        await count_orgs(work, generation=work.generation, **_columns(tally.orgs))


def _columns(counted: Counter[tuple[str, date, UUID]]) -> dict[str, list[object]]:
    # in one order, whoever writes
    rows = sorted(counted.items())
    return {
        "measures": [measure for (measure, _, _), _ in rows],
        "days": [day for (_, day, _), _ in rows],
        "whose": [whose for (_, _, whose), _ in rows],
        "counts": [times for _, times in rows],
    }


async def _write_books(work: ConsumerWork, books: Books) -> None:
    if rows := list(books.changed.values()):
        await keep_standings(
            work, generation=work.generation, orgs=[one.org_id for one in rows],
            subscriptions=[one.subscription for one in rows], numbers=[one.number for one in rows],
            statuses=[one.status for one in rows], plans=[one.plan for one in rows],
            currencies=[one.currency for one in rows], monthlies=[one.monthly for one in rows],
            doubles=[one.doubles for one in rows],
        )  # fmt: skip
    if moved := list(books.movements.items()):
        await keep_movements(
            work, generation=work.generation, orgs=[one.org_id for one, _ in moved], days=[one.day for one, _ in moved],
            sorts=[one.sort for one, _ in moved], currencies=[one.currency for one, _ in moved],
            amounts=[amount for _, amount in moved],
        )  # fmt: skip
