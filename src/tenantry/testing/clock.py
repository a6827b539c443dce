"""A clock that a test sets by hand, shared by the processes and the database of an installation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path


class HandClock:
    """The file behind TENANTRY_TEST_CLOCK; it starts at the present and stands still until it is moved."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(datetime.now(UTC))

    @property
    def environ(self) -> dict[str, str]:
        """The setting that makes an installation follow this clock."""
        return {"TENANTRY_TEST_CLOCK": str(self._file)}

    @property
    def now(self) -> datetime:
        """What it shows."""
        return datetime.fromisoformat(self._file.read_text())

    def set(self, instant: datetime) -> None:
        """Show this instant from now on."""
        # renamed into place, so that a process never reads half an instant
        draft = self._file.with_suffix(".draft")
        draft.write_text(instant.isoformat())
        draft.replace(self._file)

    def advance(self, **duration: float) -> None:
        """Move on, by `seconds=11` or `days=31`."""
        self.set(self.now + timedelta(**duration))
