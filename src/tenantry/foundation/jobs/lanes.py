"""Lanes that a slow walk has just seen: for a while jobs are taken from them alone, without another walk.

What is taken while anybody holds an old snapshot cannot be cleared away. It lies at the front of its lane, and a walk
over the lanes passes all of it each time. A lane that is known is entered at a place close to its living end instead.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from tenantry.foundation.data.sql import many
from tenantry.foundation.jobs.lease import NEVER_NULL, SHARES, TAKE_SHARES, Claimed

Lane = tuple[str, int, UUID]

SLOW = 0.02
"""Seconds that a walk may take and still be made at each claim."""
LONGEST = 1.0
"""Seconds for which lanes that nobody has seen may wait for the next walk, at most."""
WALKING = 0.1
"""The part of a worker's time that slow walks may take."""
LATE = 1000
"""Places in a lane that are looked at again: who took an early one and committed late stands there."""

CLAIM_KNOWN = """
    with waiting as (
        select known.*
          from unnest(:queues::text[], :priorities::smallint[], :lanes::uuid[], :places::bigint[])
            as known (queue, priority, lane, place)
         where not exists (select
                             from tenantry.job_queues
                            where job_queues.name = known.queue and job_queues.paused_at is not null)
    ), {shares}
"""
claim_known = many(
    Claimed,
    CLAIM_KNOWN.format(shares=SHARES.format(beyond="and jobs.seq > turns.place")) + TAKE_SHARES,
    not_null=NEVER_NULL,
)


class KnownLanes:
    """The lanes one worker knows, each with the place of the last job that it gave."""

    def __init__(self) -> None:
        self._places: dict[Lane, int] = {}
        self._walk_at = 0.0

    def __bool__(self) -> bool:
        return bool(self._places) and time.monotonic() < self._walk_at

    def walked(self, gave: Iterable[Claimed], *, took: float) -> None:
        """A walk that took so long has seen these lanes, and no other."""
        self._places.clear()
        if took > SLOW:
            self._walk_at = time.monotonic() + min(LONGEST, took / WALKING)
            self._remember(gave)

    def asked(self, gave: Iterable[Claimed]) -> None:
        """These of the known lanes gave something; the others are forgotten until the next walk."""
        before = self._places
        self._places = {}
        self._remember(gave)
        for lane in self._places:
            self._places[lane] = max(self._places[lane], before[lane])

    def arguments(self) -> dict[str, Any]:
        """The lanes, and where to enter each, as `claim_known` wants them."""
        queues, priorities, lanes = zip(*self._places, strict=True)
        places = [place - LATE for place in self._places.values()]
        return {"queues": queues, "priorities": priorities, "lanes": lanes, "places": places}

    def _remember(self, gave: Iterable[Claimed]) -> None:
        for job in gave:
            lane = job.queue, job.priority, job.lane
            self._places[lane] = max(job.seq, self._places.get(lane, 0))
