"""Counting the messages that this process sends to PostgreSQL: each call of asyncpg's is one that waits for an answer.

The first use of a statement on a connection costs one more, to prepare it; that is not counted, as it passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from asyncpg import Connection

SENDING = ("execute", "executemany", "fetch", "fetchrow", "fetchval")
# nobody waits for these: the bell rings after the answer, what only read is ended later
UNAWAITED = ("notify ", "rollback")


@dataclass
class Spy:
    """The messages so far: how each begins, and how many seconds its answer took."""

    messages: list[tuple[str, float]] = field(default_factory=list)

    @property
    def awaited(self) -> int:
        """Those that a caller waited for."""
        return sum(not said.startswith(UNAWAITED) or ";" in said for said, _ in self.messages)

    def seconds(self, containing: str) -> list[float]:
        """How long the statements with these words took."""
        return [seconds for said, seconds in self.messages if containing in said]


@contextmanager
def spying() -> Iterator[Spy]:
    """Note every message of every connection of this process."""
    spy, known = Spy(), {name: getattr(Connection, name) for name in SENDING}
    for name, method in known.items():
        setattr(Connection, name, _noting(spy, method))
    try:
        yield spy
    finally:
        for name, method in known.items():
            setattr(Connection, name, method)


def _noting(spy: Spy, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    async def noting(self: Connection[Any], query: str, *arguments: Any, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return await method(self, query, *arguments, **options)
        finally:
            spy.messages.append((query, time.perf_counter() - begin))

    return noting
