"""A note's row."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from tenantry import IdKind

NOTE_ID = IdKind("note", "note_id")


class Note(msgspec.Struct, frozen=True):
    """Something a person wrote down; until it is shared nobody else reads it."""

    id: UUID
    text: str
    shared: bool
    created_at: datetime


class Day(msgspec.Struct, frozen=True):
    """How many notes were written in an organization on one day, in UTC."""

    day: date
    written: int
