"""The clock of this process: the machine's, or in development the instant written in a file."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path


class Clock:
    """Says what time it is; deadlines and leases never ask it (they use the monotonic clock or the database)."""

    def now(self) -> datetime:
        """The current instant, in UTC."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """The current instant as seconds since 1970."""
        return time.time()

    def statement(self) -> str:
        """What a transaction says first so that the database shares this clock: nothing, it has its own."""
        return ""


class FileClock(Clock):
    """A test clock: the RFC 3339 instant in a file, re-read at each question. Development only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.fromisoformat(self._path.read_text().strip()).astimezone(UTC)

    def seconds(self) -> float:
        return self.now().timestamp()

    def statement(self) -> str:
        return f"set local tenantry.clock = '{self.now().isoformat()}';"
