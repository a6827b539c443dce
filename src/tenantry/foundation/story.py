"""A story: what has happened in the small demo, each thing at an instant of its own in the past three months."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from tenantry.foundation.data.clock import Clock
from tenantry.foundation.runtime import Runtime

DAYS = 90
"""How far back it goes."""
DEMO = "demo@example.com"
DEMO_PASSWORD = "a demo is not a secret"  # noqa: S105  (printed, and refused outside development)
"""Whoever tries the demo signs in with these; in a small one the others have the same password."""


class Story:
    """Lets things happen in the past; the database must have been migrated for development, else they happen now."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database

    @contextmanager
    def days_ago(self, days: float) -> Iterator[None]:
        """What is committed within has happened so many days ago, as far as rows and the log can tell."""
        present = self._database.clock
        self._database.clock = _Standing(present.now() - timedelta(days=days))
        try:
            yield
        finally:
            self._database.clock = present


class _Standing(Clock):
    """A clock that stands still."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        return self._instant

    def seconds(self) -> float:
        return self._instant.timestamp()

    def statement(self) -> str:
        return f"set local tenantry.clock = '{self._instant.isoformat()}';"
