"""What is counted about billing."""

from __future__ import annotations

from prometheus_client import Counter

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
