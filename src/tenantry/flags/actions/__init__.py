"""Verbs of flags, a file a noun. All of them are the house's own: operators change flags, and nobody else."""

from __future__ import annotations

from tenantry.flags.actions.counting import count_evaluations
from tenantry.flags.actions.flags import kill_flag, put_flag, remove_flag, revive_flag
from tenantry.flags.actions.overrides import lift_flag_override, override_flag
from tenantry.flags.actions.tables import TABLES

__all__ = [
    "TABLES",
    "count_evaluations",
    "kill_flag",
    "lift_flag_override",
    "override_flag",
    "put_flag",
    "remove_flag",
    "revive_flag",
]
