"""What can have happened: past-tense facts with a version and a public payload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar
from uuid import UUID

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact. Its fields are the public payload: ids and non-personal values only.

    `kind` is the stable dotted name (`accounts.user_joined`), `version` grows when the fields change meaning, and
    `person` says whose history it belongs to.
    """

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1

    def person(self) -> UUID | None:
        """Whose history this belongs to; None for the house's own."""
        return getattr(self, "user_id", None)

    def org(self) -> UUID | None:
        """Which organization's history this belongs to."""
        return getattr(self, "org_id", None)


def every_event(kind: type[Event] = Event) -> Iterator[type[Event]]:
    """Each event type that is declared anywhere."""
    for child in kind.__subclasses__():
        if child.kind:
            yield child
        yield from every_event(child)
