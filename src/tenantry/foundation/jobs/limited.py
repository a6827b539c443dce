"""Claiming from a queue with limits: one claimer at a time, who counts what runs and takes what there is a place for.

The row of the queue in `job_queues` is locked with `skip locked`: whoever comes second goes on with other queues and
looks again a moment later. What is counted is read after the lock is held, by statements of their own, because a
statement that took the lock has a view from before it: another's claim could be missing in it. Nobody else takes jobs
of the queue, so that rows need no lock; one that is withdrawn meanwhile is simply not there when it is taken.

Rates are counted by `tenantry.now()` as delays are, so that a test clock moves them; a row says when all starts are
back (GCRA). A start counts when it is made, whatever becomes of the job. Groups: see `groups`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from tenantry.foundation.jobs import limits
from tenantry.foundation.jobs.groups import Group, let_go
from tenantry.foundation.jobs.lease import Claimed, QueueWork
from tenantry.foundation.jobs.limits import Lane
from tenantry.foundation.jobs.queue import Queue
from tenantry.foundation.jobs.share import GroupKey, Shares, Waiting

FIRST_LANE, LAST_LANE = UUID(int=0), 2**128 - 1
BUSY = 0.02
"""Seconds until a queue is looked at again that another worker has under its lock."""
LANES, WINDOW = 500, 200
"""Lanes that one claim walks, and jobs that it considers where lanes are few; the next one goes on behind them."""
FEWEST = 10
"""Lanes that are considered however few places there are: what waits in one may all be held up."""


class Catch(msgspec.Struct, frozen=True, kw_only=True):
    """What a claim brought: jobs, in how many seconds to look again (None: when a run ends), whether to go on now."""

    jobs: list[Claimed] = []
    again_in: float | None = None
    more: bool = False
    start: UUID = FIRST_LANE


async def claim_limited(work: QueueWork, queue: Queue, *, start: UUID, room: int, lease: float, worker: UUID) -> Catch:
    """Take up to `room` jobs of a queue, within its limits, from a lane on."""
    free = await limits.lock(work, queue=queue.name)
    if not free:
        # paused, or somebody else is at it
        return Catch(again_in=BUSY if free is None else None, start=start)
    claim = _Claim(work, queue, Shares(queue, await limits.standing(work, queue=queue.name)))
    picked = await claim.pick(start, room)
    jobs: list[Claimed] = []
    if picked:
        await claim.charge(picked)
        jobs = await limits.take(work, ids=[one.id for one in picked], lease=lease, worker=worker)
    return Catch(jobs=jobs, again_in=claim.again_in, more=bool(jobs) or claim.moved, start=claim.start)


class _Claim:
    """One claim under its queue's lock."""

    def __init__(self, work: QueueWork, queue: Queue, shares: Shares) -> None:
        self._work = work
        self._queue = queue
        self._shares = shares
        self.again_in: float | None = None
        self.moved = False
        self.start = FIRST_LANE

    async def pick(self, start: UUID, room: int) -> list[Waiting]:
        if self._queue.rate is not None:
            await self._learn([("queue", FIRST_LANE, "")])
        whole = self._shares.whole(FIRST_LANE)
        self._look_again(whole.wait)
        room = min(room, whole.left)
        if room <= 0:
            return []
        found = await self._open_lanes(start, room)
        waiting = await self._waiting(found, room)
        if not self._queue.grouped:
            return self._shares.deal(waiting, room)
        return await self._pick_grouped(waiting, room)

    async def charge(self, picked: Sequence[Waiting]) -> None:
        """Count the starts against every rate."""
        queue, costs = self._queue, dict[tuple[str, UUID, str], float]()
        for one in picked:
            for rate, scope in (
                (queue.rate, ("queue", FIRST_LANE, "")),
                (queue.org_rate, ("lane", one.lane, "")),
                (queue.group_rate if one.group_key else None, ("group", one.lane, one.group_key or "")),
            ):
                if rate is not None:
                    costs[scope] = costs.get(scope, 0.0) + rate.gap
        if costs:
            await limits.charge(self._work, queue=queue.name, **_scopes(costs), costs=list(costs.values()))

    async def _open_lanes(self, start: UUID, room: int) -> list[Lane]:
        """The lanes that may start something, at most one for each place, those with the fewest runs first."""
        walked = await limits.lanes(self._work, queue=self._queue.name, start=start, most=LANES)
        whole_way = len(walked) < LANES
        if whole_way and start != FIRST_LANE:
            before = await limits.lanes(self._work, queue=self._queue.name, start=FIRST_LANE, most=LANES)
            walked += [one for one in before if one.lane < start]
        if self._queue.org_rate is not None:
            await self._learn([("lane", lane, "") for lane in {one.lane for one in walked}])
        for one in walked:
            self._shares.weigh(one.lane, one.weight)
        free = [one for one in walked if self._shares.lane(one.lane).left > 0]
        for one in walked:
            self._look_again(self._shares.lane(one.lane).wait)
        self._go_on_behind(walked, free, room, whole_way=whole_way)
        return sorted(free, key=lambda one: (one.priority, self._shares.load(one.lane)))[: max(room, FEWEST)]

    def _go_on_behind(self, walked: Sequence[Lane], free: Sequence[Lane], room: int, *, whole_way: bool) -> None:
        """Where the next claim begins, so that of many lanes each has its turn."""
        if not whole_way:
            self.start, self.moved = _after(walked[-1].lane), True
        elif len(free) > room:
            self.start = _after(free[min(room, len(free)) - 1].lane)

    async def _waiting(self, found: Sequence[Lane], room: int) -> list[Waiting]:
        if not found:
            return []
        return await limits.window(
            self._work,
            queue=self._queue.name,
            priorities=[one.priority for one in found],
            lanes=[one.lane for one in found],
            most=max(2, room // len(found) + 1, WINDOW // len(found)),
        )

    async def _pick_grouped(self, waiting: Sequence[Waiting], room: int) -> list[Waiting]:
        groups = {one.group for one in waiting if one.group is not None}
        if self._queue.group_rate is not None:
            await self._learn([("group", lane, key) for lane, key in groups])
        ready = await self._ready(groups, waiting, room)
        picked = self._shares.deal(_in_line(waiting, ready), room)
        await self._settle(ready, waiting, {one.id for one in picked})
        return picked

    async def _ready(
        self, groups: Iterable[GroupKey], waiting: Sequence[Waiting], room: int
    ) -> dict[GroupKey, list[Waiting]]:
        """Of each group those that may start next, by age, and one more."""
        asked = sorted(groups)
        most = [min(self._shares.group(group).left, room) + 1 for group in asked]
        keys = [key for _, key in asked]
        found = await limits.members(
            self._work, queue=self._queue.name, lanes=[lane for lane, _ in asked], keys=keys, most=most
        )
        ready: dict[GroupKey, dict[UUID, Waiting]] = {group: {} for group in asked}
        for one in (*waiting, *found):
            if one.group is not None:
                ready[one.group][one.id] = one
        return {group: self._startable(list(line.values())) for group, line in ready.items()}

    def _startable(self, line: list[Waiting]) -> list[Waiting]:
        line.sort(key=lambda one: one.seq)
        if self._queue.per_group == 1 and not (line[0].due or line[0].held):
            # in order: the first one is later, and nobody overtakes it
            return []
        return [one for one in line if one.due or one.held]

    async def _settle(
        self, ready: dict[GroupKey, list[Waiting]], waiting: Sequence[Waiting], picked: set[UUID]
    ) -> None:
        """Set aside what has no place in its group, put off what its rate holds back, else leave one in the open."""
        aside: list[Waiting] = []
        later: dict[UUID, float] = {}
        open_: list[GroupKey] = []
        for group, line in ready.items():
            left = self._shares.group(group)
            rest = [one for one in line if one.id not in picked]
            if rest and left.left > 0:
                open_ += [] if any(one.due for one in rest) else [group]
                continue
            if rest and left.places > 0:
                later[rest[0].id] = left.wait
            gone = picked | later.keys()
            aside += [one for one in waiting if one.group == group and one.id not in gone]
        await self._set_aside(aside)
        if later:
            self.moved = True
            self._look_again(min(later.values()))
            await limits.put_off(self._work, ids=list(later), waits=list(later.values()))
        await let_go(self._work, [Group(self._queue.name, lane, key) for lane, key in open_])

    async def _set_aside(self, aside: Sequence[Waiting]) -> None:
        if not aside:
            return
        groups = {one.group: self._shares.in_group(one.group) for one in aside if one.group is not None}
        if any(groups.values()):
            keys = sorted({key for (_, key), runs in groups.items() if runs})
            fast = {
                (row.lane, row.group_key): row.runs
                for row in await limits.fasten(self._work, queue=self._queue.name, keys=keys)
            }
            ending = {group for group, runs in groups.items() if fast.get(group, 0) < runs}
            if ending:
                self._look_again(BUSY)
                aside = [one for one in aside if one.group not in ending]
        if aside:
            self.moved = True
            await limits.set_aside(self._work, ids=[one.id for one in aside])

    async def _learn(self, scopes: Iterable[tuple[str, UUID, str]]) -> None:
        asked = dict.fromkeys(scopes)
        if asked:
            for row in await limits.spent(self._work, queue=self._queue.name, **_scopes(asked)):
                self._shares.spend(row.scope, row.lane, row.group_key, row.spent)

    def _look_again(self, wait: float) -> None:
        if wait > 0:
            self.again_in = wait if self.again_in is None else min(self.again_in, wait)


def _in_line(waiting: Sequence[Waiting], ready: dict[GroupKey, list[Waiting]]) -> Iterable[Waiting]:
    """What waits, in its order, with those of a group that start next in the place of the first of it that was seen."""
    seen: set[GroupKey] = set()
    for one in waiting:
        if one.group is None:
            yield one
        elif one.group not in seen:
            seen.add(one.group)
            yield from ready[one.group]


def _scopes(named: Iterable[tuple[str, UUID, str]]) -> dict[str, list[object]]:
    rows = list(named)
    return {"scopes": [row[0] for row in rows], "lanes": [row[1] for row in rows], "keys": [row[2] for row in rows]}


def _after(lane: UUID) -> UUID:
    return UUID(int=min(lane.int + 1, LAST_LANE))
