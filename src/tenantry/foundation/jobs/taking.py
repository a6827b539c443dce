"""Taking: how one worker claims, from all its queues without a limit at once, from each limited one under its lock."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from uuid import UUID

from tenantry.foundation.data.sql import values
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.jobs.lanes import KnownLanes, claim_known
from tenantry.foundation.jobs.lease import Claimed, QueueWork, claim
from tenantry.foundation.jobs.limited import FIRST_LANE, LAST_LANE, claim_limited
from tenantry.foundation.jobs.limits import enrol, enrolled
from tenantry.foundation.jobs.queue import declared
from tenantry.foundation.runtime import Runtime

NEVER = float("inf")
GLANCE = 0.05
"""Seconds between two looks at limited queues in which nothing waited, while other queues keep the worker busy."""

# before a lock is taken for nothing
waiting_in = values(
    str,
    """
    select served.queue
      from unnest(:queues::text[]) as served (queue)
     cross join lateral (select from tenantry.jobs where jobs.due and jobs.queue = served.queue limit 1) as first
     order by served.queue
    """,
    not_null=("queue",),
)


class Taker:
    """Claims for one worker; `more` says whether to go on at once, `again_at` when else to, by the monotonic clock."""

    def __init__(self, runtime: Runtime, handlers: Iterable[Handler], *, worker: UUID, lease: float) -> None:
        known = list(handlers)
        limits = declared(handler.limits for handler in known if handler.limits is not None)
        self._runtime = runtime
        self._worker = worker
        self._lease = lease
        self.queues = sorted({"default", *(handler.queue for handler in known)})
        self._limited = {name: queue for name, queue in limits.items() if queue.limited}
        self._open = [name for name in self.queues if name not in self._limited]
        self._enrolled = not self._limited
        self._limited_first = self._busy = False
        self._glance_at = 0.0
        self._starts = dict.fromkeys(self._open, FIRST_LANE)
        self._last_limited = ""
        self._known = KnownLanes()
        self._lanes = dict.fromkeys(self._limited, FIRST_LANE)
        self.more = False
        self.again_at = NEVER
        self.held_up = self._held_up = False

    async def take(self, room: int) -> list[Claimed]:
        """Claim up to `room` jobs."""
        self._busy = self.more
        # until this claim knows better: a run that ends meanwhile may be the one that it was too early for
        self.held_up, self._held_up = bool(self._limited), False
        self.more, self.again_at = False, NEVER
        ways = [self._take_open, self._take_limited]
        if self._limited_first:
            ways.reverse()
        # neither can keep the other from the room for ever
        self._limited_first = not self._limited_first
        claimed: list[Claimed] = []
        for way in ways:
            if len(claimed) < room:
                claimed += await way(room - len(claimed))
        self.more = self.more or len(claimed) >= room
        self.held_up = self._held_up
        return claimed

    async def _take_open(self, room: int) -> list[Claimed]:
        if not self._open:
            return []
        claimed = await (self._claim_known(room) if self._known else self._walk(room))
        # a lane that had less than its share left the rest of it to nobody
        self.more = self.more or (len(claimed) < room and any(job.shared_by > 1 for job in claimed))
        return claimed

    async def _walk(self, room: int) -> list[Claimed]:
        began = [self._starts[queue] for queue in self._open]
        claimed = await self._claim_from(began, room)
        if len(claimed) < room and any(start != FIRST_LANE for start in began):
            claimed += await self._claim_from([FIRST_LANE] * len(began), room - len(claimed))
        # where there is room for fewer lanes than there are queues, the first ones have it
        self._open = self._open[1:] + self._open[:1]
        return claimed

    async def _claim_from(self, starts: Sequence[UUID], room: int) -> list[Claimed]:
        began = time.monotonic()
        async with QueueWork(self._runtime, reason="claiming jobs") as work:
            claimed = await claim(
                work, queues=self._open, starts=starts, room=room, lease=self._lease, worker=self._worker
            )
        # as many lanes as jobs: others may wait behind the last one, and have their turn next time
        all_seen = len({(job.queue, job.priority, job.lane) for job in claimed}) < room
        self._known.walked(claimed if all_seen else (), took=time.monotonic() - began)
        if all_seen:
            self._starts = dict.fromkeys(self._open, FIRST_LANE)
        else:
            self._go_on_behind(claimed)
        return claimed

    def _go_on_behind(self, claimed: Sequence[Claimed]) -> None:
        """Where the next walk begins in each queue: behind the last lane of those that are served last."""
        last: dict[str, tuple[int, int]] = {}
        for job in claimed:
            last[job.queue] = max(last.get(job.queue, (-(2**15), 0)), (job.priority, job.lane.int))
        # the first queue had all the room it wanted: one that gave nothing has nothing from its start on
        self._starts[self._open[0]] = FIRST_LANE
        for queue, (_, lane) in last.items():
            self._starts[queue] = UUID(int=min(lane + 1, LAST_LANE))

    async def _claim_known(self, room: int) -> list[Claimed]:
        async with QueueWork(self._runtime, reason="claiming jobs from lanes just seen") as work:
            claimed = await claim_known(
                work, **self._known.arguments(), room=room, lease=self._lease, worker=self._worker
            )
        self._known.asked(claimed)
        return claimed or await self._walk(room)

    async def _take_limited(self, room: int) -> list[Claimed]:
        claimed: list[Claimed] = []
        for name in await self._worth_a_lock():
            if len(claimed) < room and (found := await self._claim_limited(name, room - len(claimed))):
                claimed += found
                self._last_limited = name
        return claimed

    async def _worth_a_lock(self) -> list[str]:
        if not self._limited:
            return []
        if self._busy and time.monotonic() < self._glance_at:
            self.again_at = self._glance_at
            return []
        async with QueueWork(self._runtime, reason="seeing where jobs wait") as work:
            if not self._enrolled:
                await enrol(work, names=sorted(self._limited))
                self._enrolled = await enrolled(work, names=sorted(self._limited)) == len(self._limited)
            names = await waiting_in(work, queues=sorted(self._limited))
        self._glance_at = 0.0 if names else time.monotonic() + GLANCE
        # behind the one that gave last, so that each has its turn
        return sorted(names, key=lambda name: (name <= self._last_limited, name))

    async def _claim_limited(self, name: str, room: int) -> list[Claimed]:
        async with QueueWork(self._runtime, reason="claiming jobs of a limited queue") as work:
            catch = await claim_limited(
                work,
                self._limited[name],
                start=self._lanes[name],
                room=room,
                lease=self._lease,
                worker=self._worker,
            )
        self._lanes[name] = catch.start
        self.more = self.more or catch.more
        self._held_up = self._held_up or not catch.more
        if catch.again_in is not None:
            self.again_at = min(self.again_at, time.monotonic() + catch.again_in)
        return catch.jobs
