"""Notes in the console: one page that shows them, and takes its forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta

from notes import actions, queries
from notes.models import NOTE_ID
from notes.permissions import NOTES_READ, NOTES_WRITE
from tenantry import ORG_ID, ConsolePages, ListQuery, OrgWork, SeeOther, Wire, flag_is_on

NOTES = "/console/orgs/{org}/notes"
ONE = f"{NOTES}/{{note}}"

pages = ConsolePages("notes", Path(__file__).parent / "templates", menu={NOTES: "Notes"})


class Look(ListQuery):
    """Words to search for."""

    order: Literal["-created_at"] = "-created_at"
    q: Annotated[str, Meta(max_length=200)] = ""


class NewNote(Wire):
    """What to write down."""

    text: Annotated[str, Meta(min_length=1, max_length=10_000)]


@pages.get(NOTES, title="Notes", template="notes", requires=NOTES_READ)
async def notes_page(work: OrgWork, query: Look) -> dict[str, Any]:
    """Show one's own notes and those that others share."""
    found, after = await queries.notes.read(work, query, q=query.q or None, tag=None)
    own = set(await queries.own(work, ids=[note.id for note in found]))
    return {
        "notes": [{"id": NOTE_ID.text(note.id), "note": note, "own": note.id in own} for note in found],
        "sharing": await flag_is_on(work, "notes.sharing"),
        "q": query.q,
        "next": after,
    }


@pages.post(f"{NOTES}/new", of=NOTES, requires=NOTES_WRITE)
async def write(work: OrgWork, form: NewNote) -> SeeOther:
    """Write a note down."""
    await actions.write(work, text=form.text)
    return _back(work)


@pages.post(f"{ONE}/sharing", of=NOTES, requires=NOTES_WRITE, ids={"note": NOTE_ID})
async def share(work: OrgWork, note: UUID) -> SeeOther:
    """Show a note to everybody in the organization."""
    await actions.share(work, note_id=note)
    return _back(work)


@pages.post(f"{ONE}/removal", of=NOTES, requires=NOTES_WRITE, ids={"note": NOTE_ID})
async def remove(work: OrgWork, note: UUID) -> SeeOther:
    """Throw a note away."""
    await actions.remove(work, note_id=note)
    return _back(work)


def _back(work: OrgWork) -> SeeOther:
    return SeeOther(NOTES.format(org=ORG_ID.text(work.org)))
