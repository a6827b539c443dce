"""What of usage is let go in time: minutes and hours that are too old, and keys that nobody repeats any more."""

from __future__ import annotations

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

LET_GO_AT_ONCE = 10_000
"""Rows of usage that one statement lets go."""

let_minutes_go = run("""
    delete from tenantry.usage_minutes
     where (org_id, meter, minute) in (
           select org_id, meter, minute
             from tenantry.usage_minutes
            where minute < date_trunc('hour', tenantry.now(), 'UTC') - interval '168 hours'
            order by minute
            limit :most)
""")

let_hours_go = run("""
    delete from tenantry.usage_hours
     where (org_id, meter, hour) in (
           select org_id, meter, hour
             from tenantry.usage_hours
            where hour < date_trunc('hour', tenantry.now(), 'UTC') - interval '9600 hours'
            order by hour
            limit :most)
""")

# said again at the row itself: one that somebody has just begun anew is no old one any more
let_keys_go = run("""
    delete from tenantry.usage_keys
     where at <= tenantry.now() - interval '35 days'
       and (org_id, digest) in (
           select org_id, digest
             from tenantry.usage_keys
            where at <= tenantry.now() - interval '35 days'
            limit :most)
""")

let_counters_go = run("""
    delete from tenantry.usage_counters
     where (org_id, limit_key, period_start) in (
           select org_id, limit_key, period_start
             from tenantry.usage_counters
            where period_end < tenantry.now() - interval '9600 hours'
            order by period_end
            limit :most)
""")


@action(requires=HOUSE)
async def let_usage_go(work: SystemWork, *, most: int = LET_GO_AT_ONCE) -> bool:
    """Let some of what is too old go; whether there may be more."""
    too_old = (let_minutes_go, let_hours_go, let_keys_go, let_counters_go)
    gone = [await statement(work, most=most) for statement in too_old]
    return most in gone
