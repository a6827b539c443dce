"""What can have happened to a note."""

from uuid import UUID

from tenantry import Event


class NoteWritten(Event):
    """A member wrote something down."""

    kind = "notes.note_written"
    webhook = "note.written"
    org_id: UUID
    user_id: UUID
    note_id: UUID


class NoteShared(Event):
    """A note was shown to everybody in its organization."""

    kind = "notes.note_shared"
    webhook = "note.shared"
    org_id: UUID
    note_id: UUID


class NoteRemoved(Event):
    """A note was thrown away."""

    kind = "notes.note_removed"
    webhook = "note.removed"
    org_id: UUID
    note_id: UUID
