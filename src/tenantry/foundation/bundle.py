"""What a Work gathered, events and jobs, written by one statement just before its commit."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection

from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import numbered
from tenantry.foundation.events.event import Event
from tenantry.foundation.jobs.job import NewJob

_EVENTS = """
    insert into tenantry.events (org_id, person_id, kind, version, payload, actor, request_id)
    select * from unnest(:orgs::uuid[], :persons::uuid[], :kinds::text[], :versions::smallint[], :payloads::jsonb[],
                         :actors::jsonb[], :requests::text[])"""
# one event is by far the commonest bundle, and seven scalars are cheaper than seven arrays
_ONE_EVENT, _ = numbered("""
    insert into tenantry.events (org_id, person_id, kind, version, payload, actor, request_id)
    values (:org, :person, :kind, :version, :payload, :actor, :request)""")
_JOBS = """
    insert into tenantry.jobs (id, kind, version, queue, args, run_at, due, priority, unique_key, max_attempts, org_id,
                               person_id, request_id)
    select id, kind, version, queue, args, tenantry.now() + delay * interval '1 second', delay <= 0, priority,
           unique_key, max_attempts, org_id, person_id, request_id
      from unnest(:job_ids::uuid[], :job_kinds::text[], :job_versions::smallint[], :queues::text[], :args::jsonb[],
                  :delays::double precision[], :priorities::smallint[], :keys::text[], :attempts::integer[],
                  :job_orgs::uuid[], :job_persons::uuid[], :job_requests::text[])
        as job (id, kind, version, queue, args, delay, priority, unique_key, max_attempts, org_id, person_id,
                request_id)
        on conflict do nothing"""

_EVENTS_ONLY, _ = numbered(_EVENTS)
_JOBS_ONLY, _ = numbered(_JOBS)
_BOTH, _ = numbered(f"with happened as ({_EVENTS}), queued as ({_JOBS}) select 1")
_text = msgspec.json.Encoder().encode


class Bundle:
    """The events and jobs of one Work, as rows, in the order they were said."""

    __slots__ = ("events", "jobs")

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.jobs: list[tuple[Any, ...]] = []

    @property
    def length(self) -> tuple[int, int]:
        """How much is kept, to come back to."""
        return len(self.events), len(self.jobs)

    def cut(self, length: tuple[int, int]) -> None:
        """Forget what was kept since."""
        del self.events[length[0] :], self.jobs[length[1] :]

    def add_event(self, event: Event, call: Call) -> None:
        """Keep an event, and a job for each of its listeners."""
        payload = _text(event).decode()
        org, person = event.org(), event.person()
        actor = call.actor.json()
        self.events.append((org, person, event.kind, event.version, payload, actor, call.request_id))
        for job in call.runtime.listeners.get(type(event), ()):
            self._keep(job.about(payload, event.version), org, person, call)

    def add_job(self, job: NewJob, call: Call) -> None:
        """Keep a job; it carries the actor's person and organization."""
        self._keep(job, call.actor.org, call.actor.person, call)

    async def write(self, connection: Connection[Any]) -> None:
        """Write what was kept, in one round trip; nothing kept, nothing written."""
        if self.events and self.jobs:
            await connection.execute(_BOTH, *_columns(self.events), *_columns(self.jobs))
        elif len(self.events) == 1:
            await connection.execute(_ONE_EVENT, *self.events[0])
        elif self.events:
            await connection.execute(_EVENTS_ONLY, *_columns(self.events))
        elif self.jobs:
            await connection.execute(_JOBS_ONLY, *_columns(self.jobs))

    def _keep(self, job: NewJob, org: UUID | None, person: UUID | None, call: Call) -> None:
        self.jobs.append(
            (
                *(new_id(), job.kind, job.version, job.queue, job.args, job.delay, job.priority, job.key),
                *(job.max_attempts, org, person, call.request_id),
            )
        )


def _columns(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))
