"""What becomes of a purged person in each table of usage, and how the large ones forget an organization."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.data.sql import Run, run
from tenantry.foundation.fate import Fate, kept

TABLES: Mapping[str, Fate] = {
    "usage_cursor": kept("nobody's: a place in the order of usage"),
    "usage_minutes": kept("an organization's, not a person's"),
    "usage_hours": kept("an organization's, not a person's"),
    "usage_periods": kept("an organization's, not a person's"),
    "usage_totals": kept("an organization's, not a person's"),
    "usage_adjustments": kept("an organization's, not a person's"),
    "usage_counters": kept("an organization's, not a person's"),
    "quota_crossings": kept("an organization's, not a person's"),
}
"""Events of usage and their keys are the foundation's, which writes them."""

forget_minutes = run("""
    delete from tenantry.usage_minutes
     where org_id = :org_id
       and (meter, minute) in (select meter, minute from tenantry.usage_minutes where org_id = :org_id limit :most)
""")

forget_hours = run("""
    delete from tenantry.usage_hours
     where org_id = :org_id
       and (meter, hour) in (select meter, hour from tenantry.usage_hours where org_id = :org_id limit :most)
""")

forget_adjustments = run("""
    delete from tenantry.usage_adjustments
     where org_id = :org_id
       and (started_at, id) in (select started_at, id
                                  from tenantry.usage_adjustments
                                 where org_id = :org_id
                                 limit :most)
""")

ORG_TABLES: Mapping[str, Run] = {
    "usage_minutes": forget_minutes,
    "usage_hours": forget_hours,
    "usage_adjustments": forget_adjustments,
}
"""What may be too much for one cascade from a purged organization."""
