"""Queues: their names, and how much of each may run at once and how fast it may start.

A queue without a limit needs no declaration, and its jobs are claimed the fast way. One with a limit is declared where
its handlers are; every process that serves it must know the same limits.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

LONGEST_NAME = 100
"""Characters of a queue's name."""


class QueuesDiffer(ValueError):
    """One queue was declared twice, with limits that are not the same."""


class Rate(msgspec.Struct, frozen=True):
    """So many starts in so many seconds, evenly spread; after a pause so many at once."""

    times: int
    seconds: float

    def __post_init__(self) -> None:
        if self.times < 1 or not 0 < self.seconds <= 31 * 86_400:
            raise ValueError("a rate is one start or more, in a month at most")

    @property
    def gap(self) -> float:
        """Seconds that one start takes."""
        return self.seconds / self.times


class Queue(msgspec.Struct, frozen=True):
    """A queue and its limits: of all its jobs, of each organization's, and of each group's within an organization.

    `per_group=1` means in order: a job starts when the one asked for before it, in its group, is done or given up.
    """

    name: str
    at_once: int | None = None
    per_org: int | None = None
    per_group: int | None = None
    rate: Rate | None = None
    org_rate: Rate | None = None
    group_rate: Rate | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= LONGEST_NAME:
            raise ValueError(f"a queue's name has 1 to {LONGEST_NAME} characters")
        if any(limit is not None and limit < 1 for limit in (self.at_once, self.per_org, self.per_group)):
            raise ValueError(f"a limit of {self.name} lets at least one job run; to stop them, pause the queue")

    @property
    def limited(self) -> bool:
        """Whether it has any limit."""
        return self != Queue(self.name)

    @property
    def grouped(self) -> bool:
        """Whether groups are limited in it."""
        return self.per_group is not None or self.group_rate is not None


def declared(queues: Iterable[Queue]) -> dict[str, Queue]:
    """Queues by name; QueuesDiffer where two of one name are not the same."""
    known: dict[str, Queue] = {}
    for queue in queues:
        if known.setdefault(queue.name, queue) != queue:
            raise QueuesDiffer(f"the queue {queue.name} is declared twice, with different limits")
    return known
