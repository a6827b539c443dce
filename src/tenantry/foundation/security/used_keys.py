"""Used keys: when the API keys that came by were used last, in the mind of one process until it is written down.

What is here is bounded, and lost with a process that is killed: at most a minute of it. Not here: the writing, which
`key_use` does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from uuid import UUID

WRITTEN_EVERY = 60.0
"""Seconds between two writes of when the same API key was used, by one process."""
MOST_USED = 10_000
"""API keys of which a process keeps in mind when they were used; of more it writes that later."""
UsedKey = tuple[UUID, UUID]


class UsedKeys:
    """The last use of each key, by organization and key, that one process has still to write."""

    def __init__(self, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self.waiting: dict[UsedKey, datetime] = {}
        self.flushing: asyncio.Task[None] | None = None
        self.failed = 0
        self._seconds = seconds
        self._written: dict[UsedKey, float] = {}

    def note(self, key: UsedKey, at: datetime) -> None:
        """A key was used; one too many is noted when it is used again."""
        if key in self.waiting or len(self.waiting) < MOST_USED:
            self.waiting[key] = at

    def due_in(self) -> float | None:
        """Seconds until one of them may be written, none where none waits."""
        now = self._seconds()
        return min((self._left(key, now) for key in self.waiting), default=None)

    def take(self, *, even_early: bool = False) -> Mapping[UsedKey, datetime]:
        """Take out those that may be written now."""
        now = self._seconds()
        self._written = {key: at for key, at in self._written.items() if now - at < WRITTEN_EVERY}
        due = [key for key in self.waiting if even_early or self._left(key, now) <= 0]
        taken = {key: self.waiting.pop(key) for key in due}
        self._written.update(dict.fromkeys(taken, now))
        return taken

    def give_back(self, taken: Mapping[UsedKey, datetime]) -> None:
        """Keep for another try what could not be written, unless the key was used since."""
        self._forget_written(taken)
        for key, at in taken.items():
            if key not in self.waiting:
                self.note(key, at)

    def _forget_written(self, keys: Iterable[UsedKey]) -> None:
        for key in keys:
            self._written.pop(key, None)

    def _left(self, key: UsedKey, now: float) -> float:
        written = self._written.get(key)
        return 0.0 if written is None else max(0.0, written + WRITTEN_EVERY - now)
