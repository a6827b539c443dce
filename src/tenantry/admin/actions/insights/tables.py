"""What becomes of insights when a person or an organization is purged.

What an organization counted for stays counted: in generation 0, which no rebuild touches, under an id that is made up
for it and leads nowhere. Its events are gone by then, so a rebuild could not count it once more.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.data.sql import Run, run
from tenantry.foundation.fate import Fate, kept

TABLES: Mapping[str, Fate] = {
    "insight_people": kept("days beside ids, which nothing resolves once the person is gone"),
    "insight_orgs": kept("an organization's, not a person's"),
    "insight_movements": kept("an organization's, not a person's"),
    "insight_subscriptions": kept("an organization's, not a person's"),
}

# What an organization still paid, it pays no more; its subscriptions ended before, unless nobody had read that yet.
# So few rows are an organization's that one statement can take them all.
forget_standings = run("""
    with gone as (
        delete from tenantry.insight_subscriptions where org_id = :org_id and :most::integer > 0
    )
    insert into tenantry.insight_movements as known (org_id, generation, day, sort, currency, amount)
    select org_id, generation, (tenantry.now() at time zone 'UTC')::date, 'churn', currency, -sum(amount)
      from tenantry.insight_movements
     where org_id = :org_id
     group by org_id, generation, currency
    having sum(amount) <> 0
        on conflict (org_id, generation, day, sort, currency) do update set amount = known.amount + excluded.amount
""")
forget_movements = run("""
    with nobody as materialized (
        select gen_random_uuid() as id
    ), unfinished as (
        delete from tenantry.insight_movements
         where org_id = :org_id
           and generation is distinct from tenantry.generation('admin.fold_insights')
           and :most::integer > 0
    )
    update tenantry.insight_movements
       set org_id = nobody.id, generation = 0
      from nobody
     where org_id = :org_id
       and generation = tenantry.generation('admin.fold_insights')
""")
forget_counts = run("""
    with nobody as materialized (
        select gen_random_uuid() as id
    ), unfinished as (
        delete from tenantry.insight_orgs
         where org_id = :org_id
           and generation is distinct from tenantry.generation('admin.fold_insights')
           and :most::integer > 0
    )
    update tenantry.insight_orgs
       set org_id = nobody.id, generation = 0
      from nobody
     where org_id = :org_id
       and generation = tenantry.generation('admin.fold_insights')
""")

ORG_TABLES: Mapping[str, Run] = {
    "insight_subscriptions": forget_standings,
    "insight_movements": forget_movements,
    "insight_orgs": forget_counts,
}
"""How insights forget which organization it was; the first before the second, which has what it adds."""
