"""Retention: what was sent longer ago than an organization's plan keeps is let go, in batches, sent or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import Value, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork, Work
from tenantry.plans.queries import entitlements_of
from tenantry.webhooks.models import MOST_KEPT_DAYS
from tenantry.webhooks.settings import WebhookSettings

KEPT_DAYS = "webhook_days"
"""The limit of a plan that says how long; a plan without it says nothing about that."""
LET_GO_AT_ONCE = 2_000
"""Rows of a table of what was sent that are removed in one transaction, at most."""


async def kept_days(work: Work, orgs: Sequence[UUID]) -> Mapping[UUID, int]:
    """Days for which it is kept what was sent to the endpoints of each of these organizations."""
    usual = work.runtime.section(WebhookSettings).webhook_kept_days
    known = await entitlements_of(work, orgs)
    return {org: min(found.limit(KEPT_DAYS) or usual, MOST_KEPT_DAYS) for org, found in known.items()}


# what the sender has in hand at this moment is left for the next time
let_due_go = value(
    int,
    """
    with gone as (
        delete from tenantry.webhook_due
         where (org_id, endpoint_id, event_id) in (
               select org_id, endpoint_id, event_id
                 from tenantry.webhook_due as due
                 join unnest(:orgs::uuid[], :kept::interval[]) as one (org, kept) on org = org_id
                where at < tenantry.now() - one.kept
                limit :most
                  for update of due skip locked)
        returning event_id
    )
    select count(*) from gone
    """,
)
_OLD = """
    with gone as (
        delete from tenantry.{table} as gone
         using (select old.*
                  from unnest(:orgs::uuid[], :kept::interval[]) as one (org, kept)
                 cross join lateral (select {key}
                                       from tenantry.{table}
                                      where org_id = one.org
                                        and at < tenantry.now() - one.kept
                                      limit :most) as old
                 limit :most) as old
         where {same}
        returning 1
    )
    select count(*) from gone
"""


def _old(table: str, *columns: str) -> Value[int]:
    names = ("org_id", *columns, "at")
    same = " and ".join(f"gone.{name} = old.{name}" for name in names)
    return value(int, _OLD.format(table=table, key=", ".join(names), same=same))


let_deliveries_go = _old("webhook_deliveries", "endpoint_id", "event_id")
let_attempts_go = _old("webhook_attempts", "endpoint_id", "event_id", "number")
let_messages_go = _old("webhook_messages", "event_id", "version")


@action(requires=HOUSE)
async def let_old_deliveries_go(work: SystemWork, *, orgs: Sequence[UUID]) -> int:
    """Let a batch of what was to be sent for these organizations too long ago go, arrived or not; how many rows."""
    days = await kept_days(work, orgs)
    kept = [timedelta(days=days[org]) for org in orgs]
    gone = 0
    for let_go in (let_due_go, let_deliveries_go, let_attempts_go, let_messages_go):
        gone += await let_go(work, orgs=orgs, kept=kept, most=LET_GO_AT_ONCE) or 0
    if gone:
        work.note("webhooks:deliveries:let_go", after={"rows": gone, "organizations": len(orgs)})
    return gone
