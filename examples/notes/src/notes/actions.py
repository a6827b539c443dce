"""What members do with notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec

from notes.events import NoteRemoved, NoteShared, NoteWritten
from notes.models import Note
from notes.permissions import NOTES_WRITE
from tenantry import HOUSE, NewJob, NotFound, OrgWork, SystemWork, Work, action, erased, kept, maybe, new_id, one, run
from tenantry.flags import flag_is_on
from tenantry.plans import require_room, requires_feature

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
    await require_room(work, "notes")
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
    if not await flag_is_on(work, "notes.sharing"):
        raise NotFound
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


class Import(msgspec.Struct):
    """Texts to be written down by a job."""

    texts: list[str]


@action(requires=NOTES_WRITE)
@requires_feature("note_imports")
async def ask_for_import(work: OrgWork, *, texts: Sequence[str]) -> UUID:
    """Have many notes written down by a job that says how far it is; the answer is its id."""
    return work.enqueue(NewJob.of("notes.import_notes", Import(list(texts)), tracked=True))


keep_imported = run("""
    insert into notes.notes (org_id, id, author_id, text) values (tenantry.org(), :id, :author_id, :text)
""")


@action(requires=HOUSE, records=NoteWritten)
async def write_imported(work: Work, *, org_id: UUID, author_id: UUID, text: str) -> None:
    """Write a note down that somebody had imported."""
    await require_room(work, "notes")
    note_id = new_id()
    await keep_imported(work, id=note_id, author_id=author_id, text=text)
    work.record(NoteWritten(org_id=org_id, user_id=author_id, note_id=note_id))


# an organization that is gone meanwhile has no days
count = run("""
    insert into notes.days (org_id, generation, day, written)
    select id, :generation, :day, 1 from tenantry.orgs where id = :org_id
        on conflict (org_id, generation, day) do update set written = days.written + 1
""")
clear_days = run("""
    delete from notes.days
     where (org_id, generation, day) in (select org_id, generation, day
                                           from notes.days
                                          where generation = :generation
                                          limit :most)
""")
drop_old_days = run("delete from notes.days where day < tenantry.now()::date - 366")


@action(requires=HOUSE)
async def count_day(work: SystemWork, *, org_id: UUID, day: date, generation: int) -> None:
    """Count one more note of a day."""
    await count(work, org_id=org_id, day=day, generation=generation)


@action(requires=HOUSE)
async def forget_old_days(work: SystemWork) -> None:
    """Forget what was counted more than a year ago."""
    await drop_old_days(work)


TABLES = {
    "days": kept("numbers of an organization"),
    "tags": erased(
        run("delete from notes.tags where note_id in (select id from notes.notes where author_id = :user_id)")
    ),
    "notes": erased(run("delete from notes.notes where author_id = :user_id")),
}
