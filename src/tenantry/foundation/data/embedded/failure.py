"""How the embedded PostgreSQL fails: a sentence that says what to do, and the server's last words."""

from __future__ import annotations

from collections import deque
from pathlib import Path

INSTEAD = "or set TENANTRY_DATABASE_URL to a PostgreSQL of your own"
LAST_LINES = 12


class EmbeddedPostgresFailed(Exception):
    """The embedded PostgreSQL could not do what was asked of it."""

    def __init__(self, sentence: str, *, log: Path | None = None) -> None:
        super().__init__(sentence + last_words(log) if log else sentence)


def last_words(log: Path) -> str:
    """The last lines of the server's log, under its path."""
    if not log.exists():
        return ""
    with log.open(encoding="utf-8", errors="replace") as lines:
        tail = deque(lines, maxlen=LAST_LINES)
    return f"\nLast lines of {log}:\n" + "".join(f"  {line}" for line in tail).rstrip()
