"""What usage is: reports, sums and billing periods, a file a noun."""

from __future__ import annotations

from tenantry.usage.models.periods import Period, month_of
from tenantry.usage.models.quotas import SHARES, Balance
from tenantry.usage.models.reports import AHEAD, KEYS_KEPT, MOST_REPORTED, Report, Taken, in_time
from tenantry.usage.models.rollups import (
    HOURS_KEPT,
    LENGTHS,
    MINUTES_KEPT,
    MOST_BUCKETS,
    MOST_SUM,
    Asked,
    Bucket,
    Differs,
    Sum,
    spanned,
)

__all__ = [
    "AHEAD",
    "HOURS_KEPT",
    "KEYS_KEPT",
    "LENGTHS",
    "MINUTES_KEPT",
    "MOST_BUCKETS",
    "MOST_REPORTED",
    "MOST_SUM",
    "SHARES",
    "Asked",
    "Balance",
    "Bucket",
    "Differs",
    "Period",
    "Report",
    "Sum",
    "Taken",
    "in_time",
    "month_of",
    "spanned",
]
