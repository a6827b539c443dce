"""What the sender counts, under `tenantry_webhooks_*`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

attempts = Counter(
    "tenantry_webhooks_attempts", "Attempts by what became of the delivery: delivered, later, failed.", ["fate"]
)
took = Histogram(
    "tenantry_webhooks_attempt_seconds",
    "How long endpoints took to answer, or not to.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 15),
)
flying = Gauge("tenantry_webhooks_flying", "Attempts under way in this process.", multiprocess_mode="livesum")
lanes = Gauge("tenantry_webhooks_lanes", "Endpoints that this process sends to.", multiprocess_mode="livesum")
lost = Counter(
    "tenantry_webhooks_attempts_lost", "Attempts that were not written down: another process was in charge by then."
)
