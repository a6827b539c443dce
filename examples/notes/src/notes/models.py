"""A note's row."""

from datetime import datetime
from uuid import UUID

import msgspec

from tenantry import IdKind

NOTE_ID = IdKind("note")


class Note(msgspec.Struct, frozen=True):
    """Something a person wrote down; until it is shared nobody else reads it."""

    id: UUID
    text: str
    shared: bool
    created_at: datetime
