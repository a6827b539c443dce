"""What follows after a note was written."""

from __future__ import annotations

import re

from notes.events import NoteWritten
from notes.rows import Tag
from tenantry import Job, on, value

HASHTAG = re.compile(r"#(\w{1,50})")
text_of = value(str, "select text from notes.notes where org_id = :org_id and id = :note_id")


@on(NoteWritten)
async def keep_tags(job: Job, event: NoteWritten) -> None:
    """Keep a note's hashtags, so that it is found by them."""
    async with job.work(reason="a job has nobody behind it") as work:
        text = await text_of(work, org_id=event.org_id, note_id=event.note_id)
        for tag in {found.lower() for found in HASHTAG.findall(text or "")}:
            await work.session().merge(Tag(org_id=event.org_id, note_id=event.note_id, tag=tag))
