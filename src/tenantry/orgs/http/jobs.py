"""Jobs over HTTP, for whoever waits for one: how it stands, and how far it says it is."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from tenantry.foundation.data.ids import JOB_ID
from tenantry.foundation.problems import NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs import queries
from tenantry.orgs.http.shapes import Instant, routes
from tenantry.orgs.models import JobReport, JobState
from tenantry.orgs.permissions import JOBS_READ, ORG_READ

JobId = Annotated[str, Meta(pattern=f"^{JOB_ID.start}", description="Names a job.")]
Count = Annotated[int, Meta(ge=0)]
JOB = {
    "id": "job_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "kind": "reports.export",
    "state": "running",
    "progress": {"done": 3, "total": 10, "note": "Reading March"},
    "attempt": 1,
    "asked_at": "2026-01-02T03:04:05Z",
    "started_at": "2026-01-02T03:04:06Z",
    "ended_at": None,
}


class ProgressView(Wire):
    """How far a job was when it last said so."""

    done: Count | None
    total: Annotated[Count | None, Meta(description="What `done` counts to, where that is known.")]
    note: Annotated[Annotated[str, Meta(max_length=200)] | None, Meta(description="A few words, as plain text.")]


class JobView(Wire):
    """A job that somebody waits for; one that failed or was cancelled is not tried again by itself."""

    id: JobId
    kind: str
    state: JobState
    progress: Annotated[ProgressView | None, Meta(description="Null until it says something.")]
    attempt: Annotated[int, Meta(ge=0, description="How often it was begun.")]
    asked_at: Instant
    started_at: Annotated[Instant | None, Meta(description="When it was first begun.")]
    ended_at: Instant | None


@routes.get("/orgs/{org}/jobs/{job}", requires=ORG_READ, ids={"job": JOB_ID}, answer_example=JOB)
async def job(work: OrgWork, job: UUID) -> JobView:
    """How a job stands; for whoever asked for it, and for those who may see everybody's."""
    found = await queries.job_report(work, job_id=job, everybodys=work.may(JOBS_READ))
    if found is None:
        raise NotFound
    return job_view(found)


def job_view(report: JobReport) -> JobView:
    silent = report.done is None and report.total is None and report.note is None
    return JobView(
        id=JOB_ID.text(report.id),
        kind=report.kind,
        state=report.state,
        progress=None if silent else ProgressView(done=report.done, total=report.total, note=report.note),
        attempt=report.attempt,
        asked_at=report.asked_at,
        started_at=report.started_at,
        ended_at=report.ended_at,
    )
