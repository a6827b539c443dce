"""What can have happened: past-tense facts with a version and a public payload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

import msgspec

Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class Audited(msgspec.Struct, frozen=True):
    """How an event stands in the audit log: `source:subject:action`, what it was done to, and what of it is shown.

    `target` is the event's field with the target's id; what kind of thing that is, is the field's name without `_id`,
    unless `thing` says it. `shows` are the fields that make up the row's `after`; a verb gives the same fields' old
    values as `was`. `denied` is an event that says that somebody was kept from something.
    """

    action: str
    target: str | None = None
    shows: tuple[str, ...] = ()
    thing: str | None = None
    denied: bool = False


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact. Its fields are the public payload: ids and non-personal values only.

    `kind` is the stable dotted name (`accounts.user_joined`). `version` grows when the fields change meaning, and
    `upcasts` turn the payload of each version before it into that of the next. `audited` puts it into the audit log.

    `webhook` is the type under which an organization's webhooks tell it; none: they do not. An endpoint that was made
    before a version came is told the one before: `since` has the day on which each version came, `downcasts` turn the
    payload of each version into that of the one before, by the number of the latter, and `earlier` has its fields.
    """

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    upcasts: ClassVar[Mapping[int, Upcast]] = {}
    audited: ClassVar[Audited | None] = None
    webhook: ClassVar[str | None] = None
    since: ClassVar[Mapping[int, date]] = {}
    downcasts: ClassVar[Mapping[int, Upcast]] = {}
    earlier: ClassVar[Mapping[int, type[msgspec.Struct]]] = {}

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
