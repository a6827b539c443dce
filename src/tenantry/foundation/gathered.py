"""Gathered: what is the same within a minute, denials and reads, on its way into the audit log as one row.

The first is written at once; what comes within a second of it is counted here and written with the next. What is here
is bounded, and lost with a process that is killed: at most a second of repetitions, never the first of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tenantry.foundation.events.details import SealedDetails

PAUSE = 1.0
"""Seconds between two writes of the same denial by one process."""
MOST_WAITING = 5_000
"""Denials of different kinds that a process keeps in mind; of more it says in its log that they were lost."""
MOST_TARGETS = 10
"""Things to which somebody is denied the same in a minute with a row each; the others share one that names none."""


class Merged(msgspec.Struct):
    """A row of the audit log that stands for all that is the same in its minute."""

    key: str
    row: tuple[Any, ...]
    where: SealedDetails | None
    times: int = 1


class Gathered:
    """What one process has still to write."""

    def __init__(self) -> None:
        self.waiting: dict[str, Merged] = {}
        self.writing = 0
        self.failed = 0
        self.flushing: asyncio.Task[None] | None = None
        self._written: dict[str, float] = {}
        self._targets: dict[str, set[str]] = {}
        self._minute = 0

    def knows(self, whose: str, target: str) -> bool:
        """Whether a target may have a row of its own: one of the first few of this minute."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute or len(self._targets) > MOST_WAITING:
            self._minute, self._targets = minute, {}
        known = self._targets.setdefault(whose, set())
        if len(known) < MOST_TARGETS:
            known.add(target)
        return target in known

    def add(self, merged: Merged) -> bool:
        """Count it; whether there is room for it."""
        known = self.waiting.get(merged.key)
        if known is not None:
            known.times += merged.times
        elif len(self.waiting) >= MOST_WAITING:
            return False
        else:
            self.waiting[merged.key] = merged
        return True

    def due(self, key: str) -> bool:
        """Whether its last write is long enough ago for another."""
        return time.monotonic() - self._written.get(key, -PAUSE) >= PAUSE

    def take(self, keys: Iterable[str]) -> Sequence[Merged]:
        """Take out what is to be written now; whatever comes meanwhile is counted anew."""
        now = time.monotonic()
        if len(self._written) > MOST_WAITING:
            self._written = {key: at for key, at in self._written.items() if now - at < PAUSE}
        taken = [self.waiting.pop(key) for key in keys if key in self.waiting]
        self._written.update((merged.key, now) for merged in taken)
        return taken

    def give_back(self, taken: Iterable[Merged]) -> int:
        """Keep for another try what could not be written; says how much of it found no room."""
        return sum(merged.times for merged in taken if not self.add(merged))
