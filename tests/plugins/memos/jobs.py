"""What follows when a memo is kept."""

from __future__ import annotations

from memos.events import MemoKept
from tenantry import Job, on

heard: list[MemoKept] = []


@on(MemoKept)
async def listen(job: Job, event: MemoKept) -> None:
    """Hear of a memo."""
    heard.append(event)
    async with job.work(reason="a test"):
        pass
