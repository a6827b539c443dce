"""What is counted and measured about the event log and its consumers."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

batches = Counter("tenantry_consumer_batches", "Batches given to a consumer, by how that ended.", ["consumer", "how"])
events = Counter("tenantry_consumer_events", "Events that a consumer has done.", ["consumer"])
lag = Gauge(
    "tenantry_consumer_lag_seconds",
    "Age of the oldest event that a consumer has still to read; 0 when there is none.",
    ["consumer"],
    multiprocess_mode="livemostrecent",
)
behind = Gauge(
    "tenantry_consumer_events_behind",
    "Events that a consumer has still to read, of the next 10,000 of the log.",
    ["consumer"],
    multiprocess_mode="livemostrecent",
)
stuck = Gauge(
    "tenantry_consumer_stuck",
    "1 while a consumer fails again and again on one event, else 0.",
    ["consumer"],
    multiprocess_mode="livemostrecent",
)
building = Gauge(
    "tenantry_consumer_rebuilding",
    "Events that the rebuild of a consumer has still to read, of the next 10,000; -1 where none is going on.",
    ["consumer"],
    multiprocess_mode="livemostrecent",
)
oldest_snapshot = Gauge(
    "tenantry_oldest_snapshot_seconds",
    "For how long the oldest transaction has been open; it holds back the log's horizon and what can be vacuumed.",
    multiprocess_mode="livemostrecent",
)
horizon_lag = Gauge(
    "tenantry_event_log_horizon_lag",
    "Transactions begun since the oldest one that is still open: the log is read up to that one.",
    multiprocess_mode="livemostrecent",
)
