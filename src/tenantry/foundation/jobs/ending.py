"""How a run ends: done, once more later, or dead. Each statement is fenced: it touches only runs that are still ours.

Endings are gathered in a ledger and written in batches, one transaction for all that came together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import run
from tenantry.foundation.jobs.groups import Group, let_go
from tenantry.foundation.jobs.lease import QueueWork
from tenantry.foundation.jobs.trouble import TROUBLE, breath
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.jobs")

# whoever asked for a cancellation first has won: what the handler did is rolled back
finish_one = run("""
    delete from tenantry.job_runs
     where id = :id and attempt = :attempt and worker = :worker and cancel_asked_at is null
""")

finish = run(
    """
    delete from tenantry.job_runs as run
     using unnest(:ids::uuid[], :attempts::integer[]) as ended (id, attempt)
     where run.id = ended.id and run.attempt = ended.attempt and run.worker = :worker
    """
)

put_back = run(
    """
    with back as (
        delete from tenantry.job_runs as run
         using unnest(:ids::uuid[], :attempts::integer[], :delays::double precision[], :free::boolean[],
                      :errors::text[]) as ended (id, attempt, delay, free, why)
         where run.id = ended.id and run.attempt = ended.attempt and run.worker = :worker
        returning run.*, ended.delay, ended.free, ended.why
    )
    insert into tenantry.jobs (id, seq, asked_at, run_at, due, org_id, person_id, priority, version, attempt,
                               max_attempts, spared, kind, queue, request_id, group_key, tick, error, tracked, args)
    select id, tenantry.place_of_job(group_key, seq), asked_at, tenantry.now() + delay * interval '1 second',
           delay <= 0, org_id, person_id, priority, version, attempt, max_attempts + free::integer,
           spared + free::integer, kind, queue, request_id, group_key, tick, why, tracked, args
      from back
     where cancel_asked_at is null
    """
)

bury = run(
    """
    with dead as (
        delete from tenantry.job_runs as run
         using unnest(:ids::uuid[], :attempts::integer[], :reasons::text[]) as ended (id, attempt, why)
         where run.id = ended.id and run.attempt = ended.attempt and run.worker = :worker
        returning run.*, ended.why
    )
    insert into tenantry.dead_letters (id, asked_at, run_at, org_id, person_id, priority, version, attempt,
                                       max_attempts, spared, kind, queue, request_id, unique_key, group_key, reason,
                                       tracked, args)
    select id, asked_at, run_at, org_id, person_id, priority, version, attempt, max_attempts, spared, kind, queue,
           request_id, unique_key, group_key, why, tracked, args
      from dead
     where cancel_asked_at is null
    """
)


class Done(msgspec.Struct, frozen=True):
    """The run did what it was for."""

    id: UUID
    attempt: int
    group: Group | None = None


class Withdrawn(msgspec.Struct, frozen=True):
    """The run was cancelled."""

    id: UUID
    attempt: int
    group: Group | None = None


class Again(msgspec.Struct, frozen=True):
    """The run shall be repeated after `delay` seconds; a `free` one does not count as an attempt."""

    id: UUID
    attempt: int
    delay: float
    why: str
    free: bool = False
    group: Group | None = None


class Dead(msgspec.Struct, frozen=True):
    """The run was the last one."""

    id: UUID
    attempt: int
    why: str
    group: Group | None = None


Ending = Done | Withdrawn | Again | Dead
Run = tuple[UUID, int]
"""A job and which attempt at it."""


class Ledger:
    """Endings of one worker's runs, until they are written."""

    def __init__(self, runtime: Runtime, worker: UUID, *, written: Callable[[float | None, bool], None]) -> None:
        self._runtime = runtime
        self._worker = worker
        self._written = written
        self._kept: list[Ending] = []
        self._writing: list[Ending] = []
        self._news = asyncio.Event()
        # held by whoever locks several runs, so that two of one worker never wait for each other crosswise
        self.lock = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._kept) + len(self._writing)

    def add(self, ending: Ending) -> None:
        """Keep an ending for the next batch."""
        self._kept.append(ending)
        self._news.set()

    def runs(self) -> list[Run]:
        """The runs whose ending is not written yet: their lease must be kept."""
        return [(ending.id, ending.attempt) for ending in (*self._kept, *self._writing)]

    async def keep(self) -> None:
        """Write whatever comes, as soon as it comes; what comes meanwhile is the next batch."""
        while True:
            await self._news.wait()
            try:
                await self.write()
            except TROUBLE as error:
                log.warning("the endings of jobs could not be written", error=type(error).__name__, waiting=len(self))
                await breath()

    async def write(self) -> None:
        """Write all that is kept; what could not be written stays."""
        async with self.lock:
            self._writing, self._kept = self._kept, []
            self._news.clear()
            try:
                await self._write(self._writing)
            except BaseException:
                self._kept = self._writing + self._kept
                self._news.set()
                raise
            finally:
                self._writing = []

    async def _write(self, endings: Sequence[Ending]) -> None:
        if not endings:
            return
        done = [one for one in endings if type(one) in (Done, Withdrawn)]
        again = [one for one in endings if type(one) is Again]
        dead = [one for one in endings if type(one) is Dead]
        async with QueueWork(self._runtime, reason="writing how runs ended") as work:
            ours = 0
            if done:
                ours += await finish(work, **_fence(done), worker=self._worker)
            if again:
                waits, free, errors = (_all(again, field) for field in ("delay", "free", "why"))
                ours += await put_back(
                    work, **_fence(again), delays=waits, free=free, errors=errors, worker=self._worker
                )
            if dead:
                ours += await bury(work, **_fence(dead), reasons=_all(dead, "why"), worker=self._worker)
            let = await let_go(work, (ending.group for ending in endings))
        self._written(min((ending.delay for ending in again), default=None), let > 0)
        if ours < len(endings):
            log.warning("runs ended that were another worker's by then", runs=len(endings) - ours)


def _fence(endings: Sequence[Ending]) -> dict[str, list[Any]]:
    return {"ids": _all(endings, "id"), "attempts": _all(endings, "attempt")}


def _all(endings: Sequence[Ending], field: str) -> list[Any]:
    return [getattr(ending, field) for ending in endings]
