"""Verbs of insights: folding the log into them, and having them made anew."""

from __future__ import annotations

from tenantry.admin.actions.insights.folding import clear_insights, fold_insights
from tenantry.admin.actions.insights.rebuilding import rebuild_insights
from tenantry.admin.actions.insights.tables import ORG_TABLES, TABLES

__all__ = ["ORG_TABLES", "TABLES", "clear_insights", "fold_insights", "rebuild_insights"]
