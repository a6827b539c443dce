"""What members do with notes."""

from __future__ import annotations

from uuid import UUID

from notes.events import NoteRemoved, NoteShared, NoteWritten
from notes.models import Note
from notes.permissions import NOTES_WRITE
from tenantry import NotFound, OrgWork, action, erased, maybe, new_id, one, run

keep = one(
    Note,
    """
    insert into notes.notes (org_id, id, author_id, text)
    values (tenantry.org(), :id, tenantry.person(), :text)
    returning id, text, shared, created_at
    """,
)


@action(requires=NOTES_WRITE, records=NoteWritten)
async def write(work: OrgWork, *, text: str) -> Note:
    """Write a note down, for oneself."""
    note = await keep(work, id=new_id(), text=text)
    work.record(NoteWritten(org_id=work.org, user_id=work.person, note_id=note.id))
    return note


set_shared = maybe(
    Note,
    """
    update notes.notes
       set shared = true
     where org_id = tenantry.org() and id = :note_id and author_id = tenantry.person()
 returning id, text, shared, created_at
    """,
)


@action(requires=NOTES_WRITE, records=NoteShared)
async def share(work: OrgWork, *, note_id: UUID) -> Note:
    """Show one's note to everybody in the organization."""
    note = await set_shared(work, note_id=note_id)
    if note is None:
        raise NotFound
    work.record(NoteShared(org_id=work.org, note_id=note_id))
    return note


drop = run("delete from notes.notes where org_id = tenantry.org() and id = :note_id and author_id = tenantry.person()")


@action(requires=NOTES_WRITE, records=NoteRemoved)
async def remove(work: OrgWork, *, note_id: UUID) -> None:
    """Throw one's own note away."""
    if not await drop(work, note_id=note_id):
        raise NotFound
    work.record(NoteRemoved(org_id=work.org, note_id=note_id))


TABLES = {
    "tags": erased(
        run("delete from notes.tags where note_id in (select id from notes.notes where author_id = :user_id)")
    ),
    "notes": erased(run("delete from notes.notes where author_id = :user_id")),
}
