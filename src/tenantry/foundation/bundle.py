"""What a Work gathered, events and what belongs to them, written by one statement just before its commit.

Each table has its part of the statement. Which parts there are, and whether of one row or of many, is the statement's
shape; a work has few shapes, so that a connection soon has each of them prepared. One row is by far the commonest, and
its scalars are cheaper than arrays of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection

from tenantry.foundation.answers import NewAnswer
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.events.details import Details
from tenantry.foundation.events.event import Event
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.meter import Meter, usage_digest
from tenantry.foundation.trail import audit_row, noted_row, whereabouts

_text = msgspec.json.Encoder().encode


class Part(msgspec.Struct, frozen=True):
    """A table's part of the statement: how its rows are put in, and the columns of a row with their types.

    `ahead` is what is written before it and decides which rows are, as a common table expression of its own.
    """

    insert: str
    columns: Mapping[str, str]
    ahead: str = ""

    def written(self, first: int, *, many: bool) -> tuple[str, str]:
        """What is written ahead of this part, and this part, as SQL, its parameters numbered from `first` on."""
        array, source = ("[]", "unnest({})") if many else ("", "(values ({}))")
        values = (f"${first + place}::{kind}{array}" for place, kind in enumerate(self.columns.values()))
        rows = f"{source.format(', '.join(values))} as new ({', '.join(self.columns)})"
        return self.ahead.format(rows=rows), self.insert.format(rows=rows)


EVENTS = Part(
    """insert into tenantry.events (public_id, org_id, person_id, kind, version, payload, actor, request_id, digest)
       select * from {rows}""",
    {
        "public_id": "uuid", "org_id": "uuid", "person_id": "uuid", "kind": "text", "version": "smallint",
        "payload": "jsonb", "actor": "jsonb", "request_id": "text", "digest": "bytea",
    },
)  # fmt: skip
DETAILS = Part(
    """insert into tenantry.details (row_id, about, org_id, person_id, email_key, salt, named)
       select * from {rows}""",
    {
        "row_id": "uuid", "about": "text", "org_id": "uuid", "person_id": "uuid", "email_key": "text", "salt": "bytea",
        "named": "jsonb",
    },
)  # fmt: skip
AUDIT = Part(
    """insert into tenantry.audit_log (id, org_id, person_id, action, outcome, actor_kind, actor_id, actor_name,
                                       session_id, on_behalf_of, target_kind, target_id, before, after, request_id,
                                       subject_digest, actor_digest)
       select * from {rows}""",
    {
        "id": "uuid", "org_id": "uuid", "person_id": "uuid", "action": "text", "outcome": "text",
        "actor_kind": "text", "actor_id": "uuid", "actor_name": "text", "session_id": "uuid", "on_behalf_of": "uuid",
        "target_kind": "text", "target_id": "uuid", "before": "jsonb", "after": "jsonb", "request_id": "text",
        "subject_digest": "bytea", "actor_digest": "bytea",
    },
)  # fmt: skip
# a job that its key keeps out is left out without a word
_ASKED = """insert into tenantry.jobs (id, kind, version, queue, args, run_at, due, priority, unique_key, max_attempts,
                                  org_id, person_id, request_id, tracked, group_key)
       select id, kind, version, queue, args, tenantry.now() + delay * interval '1 second', delay <= 0, priority,
              unique_key, max_attempts, org_id, person_id, request_id, tracked, group_key
         from {rows}
           on conflict do nothing"""
_DELAY = 5
_JOB = {
    "id": "uuid", "kind": "text", "version": "smallint", "queue": "text", "args": "jsonb",
    "delay": "double precision", "priority": "smallint", "unique_key": "text", "max_attempts": "integer",
    "org_id": "uuid", "person_id": "uuid", "request_id": "text", "tracked": "boolean", "group_key": "text",
}  # fmt: skip
JOBS = Part(_ASKED, _JOB)
# what is in its window keeps a job out whether or not the one before still waits; digests in order, as all lock them
UNIQUE_JOBS = Part(
    _ASKED.replace("{rows}", "{rows} where digest in (select digest from opened)"),
    _JOB | {"digest": "bytea", "unique_for": "double precision"},
    """opened as (
       insert into tenantry.job_uniques as known (kind, lane, digest, until)
       select kind, coalesce(org_id, '00000000-0000-0000-0000-000000000000'), digest,
              tenantry.now() + unique_for * interval '1 second'
         from {rows}
        order by digest
           on conflict (kind, lane, digest) do update set until = excluded.until where known.until <= tenantry.now()
       returning digest)""",
)
USAGE = Part(
    """insert into tenantry.usage_events (org_id, meter, quantity, request_id)
       select * from {rows}""",
    {"org_id": "uuid", "meter": "text", "quantity": "bigint", "request_id": "text"},
)
# what was used under a key that is known is left out without a word; digests in order, as all lock them
KEYED_USAGE = Part(
    """insert into tenantry.usage_events (org_id, meter, quantity, request_id, key)
       select org_id, meter, quantity, request_id, key
         from {rows}
        where digest in (select digest from first_used)""",
    {
        "org_id": "uuid", "meter": "text", "quantity": "bigint", "request_id": "text", "key": "text", "digest": "bytea",
    },
    """first_used as (
       insert into tenantry.usage_keys as known (org_id, digest)
       select org_id, digest
         from {rows}
        order by digest
           on conflict (org_id, digest) do update set at = tenantry.now()
              where known.at <= tenantry.now() - interval '35 days'
       returning digest)""",
)  # fmt: skip
# what it writes upon is over, or whoever claimed the key would not have come this far
ANSWERS = Part(
    """insert into tenantry.kept_answers as over (slot, digest, sealed)
       select tenantry.answer_slot(0), digest, sealed
         from {rows}
           on conflict (slot, digest) do update
          set at = tenantry.now(), sealed = excluded.sealed""",
    {"digest": "uuid", "sealed": "bytea"},
)
PARTS = (EVENTS, DETAILS, AUDIT, JOBS, UNIQUE_JOBS, USAGE, KEYED_USAGE, ANSWERS)


class Bundle:
    """What one Work says: events, details, audit rows, jobs, usage and its answer, as rows, in the order said."""

    __slots__ = ("answers", "audit", "details", "events", "jobs", "keyed_usage", "unique_jobs", "usage")

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.details: list[tuple[Any, ...]] = []
        self.audit: list[tuple[Any, ...]] = []
        self.jobs: list[tuple[Any, ...]] = []
        self.unique_jobs: list[tuple[Any, ...]] = []
        self.usage: list[tuple[Any, ...]] = []
        self.keyed_usage: list[tuple[Any, ...]] = []
        self.answers: list[tuple[Any, ...]] = []

    @property
    def asks(self) -> bool:
        """Whether a job is asked for."""
        return bool(self.jobs or self.unique_jobs)

    @property
    def asks_for_later(self) -> bool:
        """Whether one of them is not due at once."""
        return any(row[_DELAY] > 0 for row in (*self.jobs, *self.unique_jobs))

    @property
    def parts(self) -> tuple[list[tuple[Any, ...]], ...]:
        """The rows of each part of the statement."""
        return (
            self.events, self.details, self.audit, self.jobs, self.unique_jobs, self.usage, self.keyed_usage,
            self.answers,
        )  # fmt: skip

    @property
    def length(self) -> tuple[int, ...]:
        """How much is kept, to come back to."""
        return tuple(map(len, self.parts))

    def cut(self, length: tuple[int, ...]) -> None:
        """Forget what was kept since."""
        for rows, kept in zip(self.parts, length, strict=True):
            del rows[kept:]

    def add_event(self, event: Event, call: Call, *, was: Mapping[str, Any] | None, details: Details | None) -> None:
        """Keep an event with what is personal about it, the audit row it asks for, and a job for each listener."""
        payload, public_id = _text(event).decode(), new_id()
        org, person = event.org(), event.person()
        digest = self._detail(public_id, "subject", org, details)
        self.events.append(
            (public_id, org, person, event.kind, event.version, payload, call.actor.json(), call.request_id, digest)
        )
        if event.audited is not None:
            row = audit_row(event, event.audited, call, public_id, was)
            where = whereabouts(call, person, details.email_key if details else None)
            self.audit.append((*row, digest, self._detail(public_id, "actor", org, where)))
        for job in call.runtime.listeners.get(type(event), ()):
            self._keep(job.about(payload, event.version), org, person, call)

    def add_note(self, call: Call, action: str, target: tuple[str, UUID] | None, after: Mapping[str, Any]) -> None:
        """Keep an audit row of what is no event."""
        public_id = new_id()
        digest = self._detail(public_id, "actor", call.actor.org, whereabouts(call))
        self.audit.append((*noted_row(call, public_id, action, target, after), None, digest))

    def add_job(self, job: NewJob, call: Call) -> UUID:
        """Keep a job; it carries the actor's person and organization."""
        return self._keep(job, call.actor.org, call.actor.person, call)

    def add_usage(self, org: UUID, meter: Meter, quantity: int, key: str | None, call: Call) -> None:
        """Keep what an organization used; of several under one key, the first."""
        row = (org, meter.key, quantity, call.request_id)
        if key is None:
            self.usage.append(row)
            return
        digest = usage_digest(meter.key, key)
        # no statement can use one key twice
        if all(kept[-1] != digest for kept in self.keyed_usage):
            self.keyed_usage.append((*row, key, digest))

    def unwritten(self, org: UUID, meter: str) -> int:
        """How much an organization used of a meter that nobody can read yet."""
        return sum(row[2] for row in (*self.usage, *self.keyed_usage) if row[:2] == (org, meter))

    def add_answer(self, answer: NewAnswer) -> None:
        """Keep the answer to what is done."""
        self.answers.append((answer.claim, answer.sealed))

    async def write(self, connection: Connection[Any]) -> None:
        """Write what was kept, in one round trip; nothing kept, nothing written."""
        kept = self.parts
        shape = tuple(min(len(rows), 2) for rows in kept)
        if any(shape):
            await connection.execute(statement(shape), *(value for rows in kept for value in _columns(rows)))

    def _detail(self, row_id: UUID, about: str, org: UUID | None, details: Details | None) -> bytes | None:
        if details is None:
            return None
        sealed = details.sealed()
        self.details.append((row_id, about, org, details.person, details.email_key, sealed.salt, sealed.values))
        return sealed.digest

    def _keep(self, job: NewJob, org: UUID | None, person: UUID | None, call: Call) -> UUID:
        job_id = new_id()
        row = (
            *(job_id, job.kind, job.version, job.queue, job.args, job.delay, job.priority, job.key),
            *(job.max_attempts, org, person, call.request_id, job.tracked, job.group),
        )
        if job.unique_for:
            self._keep_once(row, sha256(f"{job.kind}\0{org}\0{job.key}".encode()).digest(), job.unique_for)
        else:
            self.jobs.append(row)
        return job_id

    def _keep_once(self, row: tuple[Any, ...], digest: bytes, unique_for: float) -> None:
        # no statement can open one window twice
        if all(kept[-2] != digest for kept in self.unique_jobs):
            self.unique_jobs.append((*row, digest, unique_for))


@cache
def statement(shape: tuple[int, ...]) -> str:
    """The statement that writes this shape: of each part none (0), one row (1) or many (2)."""
    written: list[str] = []
    ahead: list[str] = []
    first = 1
    for part, rows in zip(PARTS, shape, strict=True):
        if rows:
            decided, insert = part.written(first, many=rows > 1)
            ahead += [decided] if decided else []
            written.append(insert)
            first += len(part.columns)
    *before, last = written
    beside = ", ".join([*ahead, *(f"part{place} as ({one})" for place, one in enumerate(before))])
    return f"with {beside} {last}" if beside else last


def _columns(rows: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
    return rows[0] if len(rows) == 1 else list(zip(*rows, strict=True))
