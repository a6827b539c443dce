"""Verbs of plans and what guards others by them, a file a noun."""

from __future__ import annotations

from tenantry.plans.actions.gates import (
    hold_count,
    offer,
    org_of,
    require_feature,
    require_room,
    require_within,
    requires_feature,
    room_taken,
    where_plans_are_sold,
)
from tenantry.plans.actions.overrides import Beside, give_override, lift_override
from tenantry.plans.actions.plans import Holding, end_plan, give_plan
from tenantry.plans.actions.seats import room_for_members
from tenantry.plans.actions.tables import TABLES
from tenantry.plans.actions.weights import weigh_orgs

__all__ = [
    "TABLES",
    "Beside",
    "Holding",
    "end_plan",
    "give_override",
    "give_plan",
    "hold_count",
    "lift_override",
    "offer",
    "org_of",
    "require_feature",
    "require_room",
    "require_within",
    "requires_feature",
    "room_for_members",
    "room_taken",
    "weigh_orgs",
    "where_plans_are_sold",
]
