"""Folding: an organization's tables at an instant, rebuilt from what happened to it and from nothing else.

A domain declares a fold for each of its tables: a struct whose fields are the columns that come back, and for each kind
of event what it does to the rows. A column that does not come back is named with the reason. What is personal stands in
the details and comes back as long as it was not erased. Not here: which events do what, which each domain says.

The order is that of `(epoch, id)`, not the log's own by transaction. An event gets its id just before its commit, while
every row that it is about is still locked: of two who change one row, whoever came second wrote the higher id, though
its transaction may have begun, and got its number, first.

An instant is a cut through that order: everything before the first event of a transaction that began later. What was
committed by then is before the cut, what began later is behind it, and nothing before it builds on what is behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import IdKind
from tenantry.foundation.data.sql import Connected, many
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.versions import read_payload

AT_ONCE = 1_000
"""Events fetched in one round trip."""

Row = TypeVar("Row", bound=msgspec.Struct)
Happening = TypeVar("Happening", bound=Event)
Rows = dict[Any, Row]
Tables = dict[str, list[msgspec.Struct]]


class Said(msgspec.Struct, Generic[Happening], frozen=True):
    """An event of the past: when, what, and what is personal about it, unless it was erased."""

    at: datetime
    event: Happening
    details: Mapping[str, str | None]


Change = Callable[[Rows[Any], Said[Any]], None]


class Fold(Generic[Row]):
    """How a table's rows come back: what a row was, which columns do not, and what each event changes."""

    def __init__(
        self,
        table: str,
        row: type[Row],
        *,
        left_out: Mapping[str, str],
        ids: Mapping[str, IdKind],
        erasable: tuple[str, ...] = (),
    ) -> None:
        """`left_out` says of each column that is not the row's why it does not come back.

        `ids` says what the row's ids name; `erasable` are its columns that come from the details.
        """
        self.table = table
        self.row = row
        self.left_out = dict(left_out)
        self.ids = dict(ids)
        self.erasable = erasable
        self.changes: dict[type[Event], Change] = {}

    def on(
        self, kind: type[Happening]
    ) -> Callable[[Callable[[Rows[Row], Said[Happening]], None]], Callable[[Rows[Row], Said[Happening]], None]]:
        """Say what an event of this kind changes."""

        def declare(
            change: Callable[[Rows[Row], Said[Happening]], None],
        ) -> Callable[[Rows[Row], Said[Happening]], None]:
            if kind in self.changes:
                raise TypeError(f"{kind.__name__} changes {self.table} already")
            self.changes[kind] = change
            return change

        return declare

    def shown(self, row: msgspec.Struct) -> dict[str, Any]:
        """A row as it is shown outside: its ids by what they name."""
        told = msgspec.structs.asdict(row)
        for column, kind in self.ids.items():
            told[column] = told[column] and kind.text(told[column])
        return told


class Unfoldable(Exception):
    """The history lacks what it would have to begin with; the sentence says where."""


class _Entry(msgspec.Struct, frozen=True):
    at: datetime
    kind: str
    version: int
    payload: str
    named: str | None


events_of_org = many(
    _Entry,
    """
    with later as (
        select epoch, id
          from tenantry.events
         where org_id = :org_id
           and at > :at
         order by epoch, id
         limit 1
    )
    select events.at, kind, version, payload, named
      from tenantry.events
      left join later on true
      left join tenantry.details on row_id = public_id and about = 'subject'
     where events.org_id = :org_id
       and events.at <= :at
       and (later.id is null or (events.epoch, events.id) < (later.epoch, later.id))
     order by events.epoch, events.id
    """,
)


async def fold(work: Connected, folds: Mapping[str, Fold[Any]], *, org_id: UUID, at: datetime) -> Tables:
    """An organization's tables as they were at an instant, by name; rows in the order in which they came about.

    Unfoldable where the history lacks its beginning, Unreadable where this release cannot read a part of it.
    """
    kinds = {kind.kind: kind for one in folds.values() for kind in one.changes}
    rows: dict[str, Rows[Any]] = {name: {} for name in folds}
    found = events_of_org.arguments({"org_id": org_id, "at": at})
    async for record in work.connection.cursor(events_of_org.sql, *found, prefetch=AT_ONCE):
        entry = _Entry(*record)
        if kind := kinds.get(entry.kind):
            details = msgspec.json.decode(entry.named) if entry.named else {}
            _apply(folds, rows, Said(entry.at, read_payload(kind, entry.version, entry.payload), details))
    return {name: list(kept.values()) for name, kept in rows.items()}


def _apply(folds: Mapping[str, Fold[Any]], rows: Mapping[str, Rows[Any]], happened: Said[Any]) -> None:
    for name, one in folds.items():
        if change := one.changes.get(type(happened.event)):
            try:
                change(rows[name], happened)
            except KeyError as missing:
                raise Unfoldable(
                    f"{happened.event.kind} at {happened.at} changes a row of {name} that nothing before it made"
                ) from missing
