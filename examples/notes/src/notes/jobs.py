"""What follows after a note was written, what is counted, and what is done by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from notes import actions
from notes.events import NoteWritten
from notes.rows import Tag
from tenantry import ConsumerWork, GiveUp, Job, Logged, PlanNeeded, consumer, every, handles, on, value

HASHTAG = re.compile(r"#(\w{1,50})")
text_of = value(str, "select text from notes.notes where org_id = :org_id and id = :note_id")


@on(NoteWritten)
async def keep_tags(job: Job, event: NoteWritten) -> None:
    """Keep a note's hashtags, so that it is found by them."""
    async with job.work(reason="a job has nobody behind it") as work:
        text = await text_of(work, org_id=event.org_id, note_id=event.note_id)
        for tag in {found.lower() for found in HASHTAG.findall(text or "")}:
            await work.session().merge(Tag(org_id=event.org_id, note_id=event.note_id, tag=tag))


@handles("notes.import_notes", tracked=True)
async def import_notes(job: Job, wanted: actions.Import) -> None:
    """Write down what was imported, in one commit, and say how far it is."""
    assert job.org is not None
    assert job.person is not None
    try:
        async with job.org_work(reason="an import has its person no more, only what they asked for") as work:
            for done, text in enumerate(wanted.texts, 1):
                await actions.write_imported(work, org_id=job.org, author_id=job.person, text=text)
                await job.report(done=done, total=len(wanted.texts))
    except PlanNeeded as full:
        raise GiveUp(full.detail) from full


@consumer(NoteWritten, clear=actions.clear_days)
async def count_days(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Count the notes of each day."""
    for one in happened:
        if one.org_id is not None:
            await actions.count_day(work, org_id=one.org_id, day=one.at.date(), generation=work.generation)


@every(days=1)
async def forget_old_days(job: Job) -> None:
    """Forget what was counted more than a year ago."""
    async with job.work(reason="every organization's days grow old") as work:
        await actions.forget_old_days(work)
