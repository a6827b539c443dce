"""Retention: what is older than an organization's plan keeps is let go, in batches, and says so before it goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from tenantry.audit.models import NOBODYS
from tenantry.audit.settings import AuditSettings
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork
from tenantry.plans.queries import entitlements_of

LET_GO_AT_ONCE = 2_000
"""Rows of the audit log removed in one transaction, at most."""
KEPT_DAYS = "audit_days"
"""The limit of a plan that says how long; a plan without it says nothing about that."""


# a statement of its own: what lets rows go looks for this one
say_kept_from = run("""
    insert into tenantry.audit_horizons as known (whose, kept_from)
    select one.whose, tenantry.now() - one.kept
      from unnest(:whose::uuid[], :kept::interval[]) as one (whose, kept)
     where exists (select
                     from tenantry.audit_log
                    where org_id is not distinct from nullif(one.whose, :nobodys)
                      and at < tenantry.now() - one.kept)
        on conflict (whose) do update set kept_from = excluded.kept_from
     where known.kept_from < excluded.kept_from
""")

let_rows_go = value(
    int,
    """
    with gone as (
        delete from tenantry.audit_log
         where (at, id) in (select old.at, old.id
                              from unnest(:whose::uuid[], :kept::interval[]) as one (whose, kept)
                             cross join lateral (select at, id
                                                   from tenantry.audit_log
                                                  where org_id = one.whose
                                                    and at < tenantry.now() - one.kept
                                                  order by at
                                                  limit :most) as old
                             limit :most)
        returning id
    ), bare as (
        delete from tenantry.details where about = 'actor' and row_id in (select id from gone)
    )
    select count(*) from gone
    """,
)

let_nobodys_go = value(
    int,
    """
    with gone as (
        delete from tenantry.audit_log
         where (at, id) in (select at, id
                              from tenantry.audit_log
                             where org_id is null
                               and at < tenantry.now() - :kept::interval
                             limit :most)
        returning id
    ), bare as (
        delete from tenantry.details where about = 'actor' and row_id in (select id from gone)
    )
    select count(*) from gone
    """,
)


@action(requires=HOUSE)
async def let_audit_go(work: SystemWork, *, orgs: Sequence[UUID]) -> int:
    """Let a batch of old rows of these organizations go, or of nobody's where none are given; says how many."""
    usual = work.runtime.section(AuditSettings).audit_kept_days
    known = await entitlements_of(work, orgs) if orgs else {}
    limits = {org: found.limit(KEPT_DAYS) for org, found in known.items()}
    whose = list(orgs) or [NOBODYS]
    kept = [timedelta(days=limits.get(org) or usual) for org in whose]
    await say_kept_from(work, whose=whose, kept=kept, nobodys=NOBODYS)
    if orgs:
        gone = await let_rows_go(work, whose=whose, kept=kept, most=LET_GO_AT_ONCE)
    else:
        gone = await let_nobodys_go(work, kept=kept[0], most=LET_GO_AT_ONCE)
    if gone:
        work.note("audit:log:let_go", after={"rows": gone, "organizations": len(orgs)})
    return gone or 0
