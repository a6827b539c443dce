"""Sharing out: which of the jobs that wait start now, within what is left of each limit. Nothing here asks anybody.

The lane with the fewest running jobs for its weight is served first, again and again, within a priority: so the places
of a queue are shared evenly between organizations, or as their weights say, however many jobs of one wait.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from uuid import UUID

import msgspec

from tenantry.foundation.jobs.queue import Queue, Rate

MANY = 1 << 30
"""No limit."""
GroupKey = tuple[UUID, str]


class Waiting(msgspec.Struct, frozen=True):
    """A job that waits: where it stands, whether claims see it (`due`) or it was set aside (`held`)."""

    id: UUID
    lane: UUID
    priority: int
    seq: int
    group_key: str | None
    due: bool
    held: bool

    @property
    def group(self) -> GroupKey | None:
        """Its group, within its queue."""
        return None if self.group_key is None else (self.lane, self.group_key)


class Allowance:
    """What is left of one limit: places, and starts of a rate."""

    __slots__ = ("_rate", "_spent", "places")

    def __init__(self, most: int | None, running: int, rate: Rate | None, spent: float) -> None:
        self.places = MANY if most is None else max(0, most - running)
        self._rate = rate
        # a clock that was set back may leave more spent than there is
        self._spent = 0.0 if rate is None else min(max(0.0, spent), rate.seconds)

    @property
    def starts(self) -> int:
        """How many the rate lets start."""
        return MANY if self._rate is None else int((self._rate.seconds - self._spent) / self._rate.gap + 1e-6)

    @property
    def wait(self) -> float:
        """Seconds until the rate lets one more start; 0 when it does."""
        if self._rate is None or self.starts:
            return 0.0
        return max(0.001, self._spent + self._rate.gap - self._rate.seconds)

    @property
    def left(self) -> int:
        """How many jobs may start."""
        return min(self.places, self.starts)

    def take(self) -> None:
        """Let one start."""
        self.places -= 1
        if self._rate is not None:
            self._spent += self._rate.gap


class Standing(msgspec.Struct, frozen=True):
    """How many jobs of a group, or of no group, run in a lane."""

    lane: UUID
    group_key: str | None
    runs: int


class Shares:
    """All limits of one queue at one moment."""

    def __init__(self, queue: Queue, standing: Iterable[Standing]) -> None:
        self.queue = queue
        self.running = 0
        self._lanes: dict[UUID, int] = {}
        self._groups: dict[GroupKey, int] = {}
        self._weights: dict[UUID, int] = {}
        self._spent: dict[tuple[str, UUID, str], float] = {}
        self._lane_left: dict[UUID, Allowance] = {}
        self._group_left: dict[GroupKey, Allowance] = {}
        for row in standing:
            self.running += row.runs
            self._lanes[row.lane] = self._lanes.get(row.lane, 0) + row.runs
            if row.group_key is not None:
                self._groups[row.lane, row.group_key] = row.runs

    def spend(self, scope: str, lane: UUID, group_key: str, spent: float) -> None:
        """Learn how many seconds' worth of starts a rate has behind it."""
        self._spent[scope, lane, group_key] = spent

    def weigh(self, lane: UUID, weight: int) -> None:
        """Learn how much of the queue a lane gets, compared with others."""
        self._weights[lane] = weight

    def load(self, lane: UUID, more: int = 0) -> float:
        """How much of its part a lane has, with so many more running."""
        return (self.in_lane(lane) + more) / self._weights.get(lane, 1)

    def whole(self, no_lane: UUID) -> Allowance:
        """What the whole queue may start."""
        queue = self.queue
        return Allowance(queue.at_once, self.running, queue.rate, self._spent.get(("queue", no_lane, ""), 0.0))

    def in_lane(self, lane: UUID) -> int:
        """How many run in a lane."""
        return self._lanes.get(lane, 0)

    def in_group(self, group: GroupKey) -> int:
        """How many run in a group."""
        return self._groups.get(group, 0)

    def lane(self, lane: UUID) -> Allowance:
        """What a lane may start."""
        if lane not in self._lane_left:
            spent = self._spent.get(("lane", lane, ""), 0.0)
            self._lane_left[lane] = Allowance(self.queue.per_org, self.in_lane(lane), self.queue.org_rate, spent)
        return self._lane_left[lane]

    def group(self, group: GroupKey) -> Allowance:
        """What a group may start."""
        if group not in self._group_left:
            spent = self._spent.get(("group", *group), 0.0)
            running = self.in_group(group)
            self._group_left[group] = Allowance(self.queue.per_group, running, self.queue.group_rate, spent)
        return self._group_left[group]

    def deal(self, waiting: Iterable[Waiting], room: int) -> list[Waiting]:
        """Those that start: by priority, then evenly between lanes, then by age, within every limit."""
        taken: list[Waiting] = []
        for _, level in groupby(sorted(waiting, key=lambda one: one.priority), key=lambda one: one.priority):
            taken += self._deal_level(level, room - len(taken))
        return taken

    def _deal_level(self, level: Iterable[Waiting], room: int) -> Iterator[Waiting]:
        hands: dict[UUID, deque[Waiting]] = {}
        for one in level:
            hands.setdefault(one.lane, deque()).append(one)
        for lane, hand in hands.items():
            hands[lane] = deque(sorted(hand, key=lambda one: one.seq))
        turns = [(self.load(lane), order, lane, 0) for order, lane in enumerate(hands)]
        heapq.heapify(turns)
        while turns and room > 0:
            _, order, lane, more = heapq.heappop(turns)
            if (mine := self._next(hands[lane])) is not None:
                yield mine
                room -= 1
                heapq.heappush(turns, (self.load(lane, more + 1), order, lane, more + 1))

    def _next(self, hand: deque[Waiting]) -> Waiting | None:
        while hand and self.lane(hand[0].lane).left > 0:
            one = hand.popleft()
            left = None if one.group is None or not self.queue.grouped else self.group(one.group)
            if left is None or left.left > 0:
                self.lane(one.lane).take()
                if left is not None:
                    left.take()
                return one
        return None
