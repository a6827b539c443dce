"""Notes over HTTP."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from notes import actions, queries
from notes.models import NOTE_ID, Note
from notes.permissions import NOTES_READ, NOTES_WRITE
from tenantry import JOB_ID, ListAnswer, ListQuery, OrgWork, PlanNeeded, Routes, Wire

routes = Routes("notes")
MILK = {"id": "note_01jd4w2q8nf6v9m3x5c7b1r0kt", "text": "Buy milk. #shop", "shared": False,
        "created_at": "2026-01-02T03:04:05Z"}  # fmt: skip


class NewNote(Wire):
    """What to write down."""

    text: Annotated[str, Meta(min_length=1, max_length=10_000)]


class NoteView(Wire):
    """A note."""

    id: str
    text: str
    shared: bool
    created_at: datetime


class NoteQuery(ListQuery):
    """Words to search for, and a hashtag to have."""

    order: Literal["-created_at"] = "-created_at"
    q: Annotated[str, Meta(max_length=200)] | None = None
    tag: Annotated[str, Meta(max_length=50)] | None = None


class NoteList(ListAnswer):
    """A part of the list of notes."""

    items: list[NoteView]


class Import(Wire):
    """Many notes to write down."""

    texts: Annotated[list[Annotated[str, Meta(min_length=1, max_length=400)]], Meta(min_length=1, max_length=100)]


class ImportAsked(Wire):
    """The job that does it; `GET /v1/orgs/{org}/jobs/{job}` says how far it is."""

    job: str


class DayView(Wire):
    """How many notes were written on a day."""

    day: date
    written: int


class DayList(Wire):
    """The days of the last year on which notes were written, the newest first."""

    items: list[DayView]


@routes.get("/orgs/{org}/notes", requires=NOTES_READ, answer_example={"items": [MILK], "next": None})
async def notes(work: OrgWork, query: NoteQuery) -> NoteList:
    """One's own notes and those that others share, the newest first."""
    found, after = await queries.notes.read(work, query, q=query.q, tag=query.tag)
    return NoteList(items=[_view(note) for note in found], next=after)


@routes.post("/orgs/{org}/notes", requires=NOTES_WRITE, status=201, problems=(PlanNeeded,),
             example={"text": "Buy milk."}, answer_example=MILK)  # fmt: skip
async def write(work: OrgWork, body: NewNote) -> NoteView:
    """Write a note down."""
    return _view(await actions.write(work, text=body.text))


@routes.post("/orgs/{org}/notes/imports", requires=NOTES_WRITE, status=202, problems=(PlanNeeded,),
             example={"texts": ["Buy milk."]}, answer_example={"job": "job_01jd4w2q8nf6v9m3x5c7b1r0kt"})  # fmt: skip
async def import_notes(work: OrgWork, body: Import) -> ImportAsked:
    """Have many notes written down; the job says how far it is."""
    return ImportAsked(job=JOB_ID.text(await actions.ask_for_import(work, texts=body.texts)))


@routes.get("/orgs/{org}/notes/days", requires=NOTES_READ,
            answer_example={"items": [{"day": "2026-01-02", "written": 3}]})  # fmt: skip
async def days(work: OrgWork) -> DayList:
    """How many notes were written on each day."""
    return DayList(items=[DayView(day=one.day, written=one.written) for one in await queries.days(work)])


@routes.post("/orgs/{org}/notes/{note}/sharing", requires=NOTES_WRITE, ids={"note": NOTE_ID}, answer_example=MILK)
async def share(work: OrgWork, note: UUID) -> NoteView:
    """Show a note to everybody in the organization."""
    return _view(await actions.share(work, note_id=note))


@routes.delete("/orgs/{org}/notes/{note}", requires=NOTES_WRITE, ids={"note": NOTE_ID}, status=204)
async def remove(work: OrgWork, note: UUID) -> None:
    """Throw a note away."""
    await actions.remove(work, note_id=note)


def _view(note: Note) -> NoteView:
    return NoteView(id=NOTE_ID.text(note.id), text=note.text, shared=note.shared, created_at=note.created_at)
