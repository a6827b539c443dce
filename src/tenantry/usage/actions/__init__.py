"""Verbs of usage, a file a noun."""

from __future__ import annotations

from tenantry.usage.actions.balances import balances
from tenantry.usage.actions.closing import close_periods
from tenantry.usage.actions.crossings import tell_crossings, tell_room_taken
from tenantry.usage.actions.folding import fold_usage
from tenantry.usage.actions.periods import current_periods, period_of
from tenantry.usage.actions.pruning import let_usage_go
from tenantry.usage.actions.quotas import use
from tenantry.usage.actions.reports import report_usage
from tenantry.usage.actions.tables import ORG_TABLES, TABLES

__all__ = [
    "ORG_TABLES",
    "TABLES",
    "balances",
    "close_periods",
    "current_periods",
    "fold_usage",
    "let_usage_go",
    "period_of",
    "report_usage",
    "tell_crossings",
    "tell_room_taken",
    "use",
]
