"""Neighbours: one process's clients of foreign systems, made when they are first asked, closed with the runtime.

What watches the database for the process stands here as well: it begins and ends the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Neighbour(Protocol):
    """A client that holds connections."""

    async def close(self) -> None: ...


One = TypeVar("One", bound=Neighbour)


class Neighbours:
    """Every foreign system that this process has asked."""

    def __init__(self) -> None:
        self._known: dict[type[Any], Neighbour] = {}

    def of(self, kind: type[One], make: Callable[[], One]) -> One:
        """The one client of a kind."""
        found = self._known.get(kind)
        if not isinstance(found, kind):
            found = self._known[kind] = make()
        return found

    async def close(self) -> None:
        """Let go of all of them; whoever asks afterwards makes a new one."""
        known, self._known = self._known, {}
        for one in known.values():
            await one.close()
