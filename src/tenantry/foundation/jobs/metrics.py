"""What the queue counts, under `tenantry_jobs_*`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

claimed = Counter("tenantry_jobs_claimed", "Jobs taken by this process.")
ended = Counter(
    "tenantry_jobs_ended",
    "Runs of jobs by how they ended: done, retried, snoozed, cancelled, dead, lost, cut.",
    ["kind", "how"],
)
rescued = Counter("tenantry_jobs_rescued", "Jobs taken back from workers that were gone.")
released = Counter("tenantry_jobs_released", "Jobs handed back unfinished by a worker that stopped.")
running = Gauge("tenantry_jobs_running", "Jobs that run in this process now.", multiprocess_mode="livesum")
lag = Gauge(
    "tenantry_jobs_lag_seconds",
    "How long the oldest job of the last claim had been due; 0 when nothing waits.",
    multiprocess_mode="livemax",
)
listening = Gauge(
    "tenantry_jobs_listening",
    "1 while notifications of new jobs provably arrive, else 0 (polling).",
    multiprocess_mode="livemin",
)
