"""What is counted about billing."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

notices = Counter(
    "tenantry_billing_notices",
    "Notices by what was done with them: kept, repeated, unknown_type, other_mode, other_account, unsigned.",
    ["how"],
)
applied = Counter(
    "tenantry_billing_notices_applied",
    "Notices that were applied, or not: changed, same, overtaken, orphaned, failed.",
    ["how"],
)
drift = Gauge(
    "tenantry_billing_drift",
    "What differed from Stripe at the last comparison: rows, and notices that had never come.",
    ["what"],
    multiprocess_mode="mostrecent",
)
reconciled_at = Gauge(
    "tenantry_billing_reconciled_at_seconds",
    "When the last comparison with Stripe ended, in seconds since 1970.",
    multiprocess_mode="mostrecent",
)
