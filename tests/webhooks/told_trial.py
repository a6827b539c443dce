"""A domain for the tests of what is told: an event that became another twice, one that can be large, one untold."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from tenantry import HOUSE, Event, action
from tenantry.foundation.work import SystemWork


class MovedOne(msgspec.Struct, frozen=True):
    """As it was at first."""

    org_id: UUID
    moved_by: UUID | None
    where: str


class MovedTwo(msgspec.Struct, frozen=True):
    """As it was then."""

    org_id: UUID
    moved_by: UUID | None
    to: str


class Moved(Event, frozen=True):
    """A box was moved."""

    kind = "told_trial.moved"
    webhook = "box.moved"
    version = 3
    since = {2: date(2026, 2, 1), 3: date(2026, 3, 1)}  # noqa: RUF012  (a class's own)
    upcasts = {  # noqa: RUF012
        1: lambda old: {"org_id": old["org_id"], "moved_by": old["moved_by"], "to": old["where"]},
        2: lambda old: {**old, "shelf": 0},
    }
    downcasts = {  # noqa: RUF012
        1: lambda new: {"org_id": new["org_id"], "moved_by": new["moved_by"], "where": new["to"]},
        2: lambda new: {name: new[name] for name in ("org_id", "moved_by", "to")},
    }
    earlier = {1: MovedOne, 2: MovedTwo}  # noqa: RUF012
    org_id: UUID
    moved_by: UUID | None
    to: str
    shelf: int


def _never(new: dict[str, Any]) -> dict[str, Any]:
    raise LookupError("there is no way back")


class Labelled(Event, frozen=True):
    """A box got a label, as long as one likes."""

    kind = "told_trial.labelled"
    webhook = "box.labelled"
    version = 2
    since = {2: date(2026, 2, 1)}  # noqa: RUF012
    upcasts = {1: lambda old: old}  # noqa: RUF012
    downcasts = {1: _never}  # noqa: RUF012
    earlier = {1: MovedOne}  # noqa: RUF012
    org_id: UUID
    label: str


class Counted(Event, frozen=True):
    """Boxes were counted, which is nobody's business."""

    kind = "told_trial.counted"
    org_id: UUID


@action(requires=HOUSE, records=(Moved, Labelled, Counted))
async def say(work: SystemWork, *, events: tuple[Event, ...]) -> None:
    """Say that all of it happened."""
    for event in events:
        work.record(event)
