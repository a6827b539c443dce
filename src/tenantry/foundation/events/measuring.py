"""Measuring the log: how consumers stand, and what holds its horizon back. Asked by whoever runs consumers."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tenantry.foundation.data.sql import one
from tenantry.foundation.events import metrics
from tenantry.foundation.events.consumer import Consumer
from tenantry.foundation.events.looking import standings
from tenantry.foundation.events.standing import Standing
from tenantry.foundation.work import Work


class Horizon(msgspec.Struct, frozen=True):
    """What holds the log's horizon back: the oldest open transaction's age, and the transactions begun since."""

    oldest: float
    begun_since: int


held_back_by = one(
    Horizon,
    """
    select tenantry.oldest_snapshot() as oldest,
           pg_snapshot_xmax(snapshot)::text::bigint - pg_snapshot_xmin(snapshot)::text::bigint as begun_since
      from pg_current_snapshot() as snapshot
    """,
    not_null=("oldest", "begun_since"),
)


async def measure(work: Work, consumers: Iterable[Consumer]) -> None:
    """Set the gauges to what is now."""
    horizon = await held_back_by(work)
    metrics.oldest_snapshot.set(horizon.oldest)
    metrics.horizon_lag.set(horizon.begun_since)
    told = list(consumers)
    found = await standings(work, told) if told else []
    for consumer in told:
        own = [one for one in found if one.name == consumer.name and one.state != "retiring"]
        if own:
            _tell(consumer.name, own[0], own[1:])


def _tell(name: str, live: Standing, building: list[Standing]) -> None:
    metrics.lag.labels(name).set(live.lag)
    metrics.behind.labels(name).set(live.behind)
    metrics.stuck.labels(name).set(any(one.state == "stuck" for one in (live, *building)))
    metrics.building.labels(name).set(building[0].behind if building else -1)
