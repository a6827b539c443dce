"""Insights: what is counted, what organizations pay by the month, and the figures that come of it."""

from __future__ import annotations

from tenantry.admin.models.insights.books import OVER, Books, Movement, Standing, monthly
from tenantry.admin.models.insights.figures import Cohort, Count, Insights, Money, OnPlan, Progress, Total

__all__ = [
    "OVER",
    "Books",
    "Cohort",
    "Count",
    "Insights",
    "Money",
    "Movement",
    "OnPlan",
    "Progress",
    "Standing",
    "Total",
    "monthly",
]
