"""`jobs`: what waits, runs and died, for operators; putting back what died, pausing queues, cancelling jobs.

What a job was given is printed on demand only: it may be somebody's.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.brought import AS_JSON, beside_core
from tenantry.entrypoints.cli.calling import ask, show_json
from tenantry.entrypoints.cli.jobs_shown import count, job_of, jobs_of, org_of, print_rows, row_of, say, tell
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import JOB_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs import cancelling, dead, queues, standing
from tenantry.foundation.jobs.queue import LONGEST_NAME
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import SystemWork

Answer = TypeVar("Answer")
OF_KIND = Annotated[str | None, typer.Option("--kind", help="Only of this kind.")]
OF_ORG = Annotated[str | None, typer.Option("--org", help="Only of this organization, as org_...")]
HOW_MANY = Annotated[int, typer.Option("--limit", help="At most so many.", min=1, max=standing.MOST_SHOWN)]
WITH_ARGS = Annotated[bool, typer.Option("--args", help="Print what it was given, too.")]
QUEUE = Annotated[str, typer.Argument(help="The queue's name.")]
JOB = Annotated[str, typer.Argument(help="The job, as job_... or as logs write it.")]
JOBS = Annotated[list[str] | None, typer.Argument(help="The jobs, as job_... or as logs write them.")]


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`jobs list|show|dead|redrive|drop|queues|pause|resume|cancel`."""
    jobs = typer.Typer(help="Jobs that wait, run or died, and the queues they are in.", no_args_is_help=True)
    app.add_typer(jobs, name="jobs", cls=beside_core(assembly, "jobs"))
    _add_looking(jobs, assembly)
    _add_dead(jobs, assembly)
    _add_halting(jobs, assembly)


def _add_looking(jobs: typer.Typer, assembly: Assembly) -> None:
    @jobs.command("list")
    def show_list(
        *,
        kind: OF_KIND = None,
        queue: Annotated[str | None, typer.Option(help="Only in this queue.")] = None,
        org: OF_ORG = None,
        limit: HOW_MANY = 50,
        args: WITH_ARGS = False,
        as_json: AS_JSON = False,
    ) -> None:
        """Print the jobs that run or wait, the oldest first."""
        org_id = org_of(org)

        async def look(work: SystemWork) -> list[standing.Standing]:
            return await standing.standing(work, kind=kind, queue=queue, org=org_id, limit=limit)

        found = _within(assembly, "list", look, reading=True)
        print_rows(found, ("job", "state", "kind", "queue", "org", "attempt", "since"), args=args, as_json=as_json)

    @jobs.command()
    def show(job: JOB, *, args: WITH_ARGS = False, as_json: AS_JSON = False) -> None:
        """Print where one job stands; what is done and was not tracked has left nothing."""
        job_id = job_of(job)
        found = _within(assembly, "show", lambda work: standing.shown(work, job_id), reading=True)
        if found.job is None and found.report is None:
            raise NotFound(f"There is no job {JOB_ID.text(job_id)} that waits, runs, died or has a report.")
        parts = {"job": found.job, "report": found.report}
        row = {name: None if part is None else row_of(part, args=args) for name, part in parts.items()}
        show_json(row) if as_json else tell(row)


def _add_dead(jobs: typer.Typer, assembly: Assembly) -> None:
    @jobs.command("dead")
    def show_dead(
        *,
        kind: OF_KIND = None,
        org: OF_ORG = None,
        after: Annotated[str | None, typer.Option(help="Go on after this one.")] = None,
        limit: HOW_MANY = 50,
        args: WITH_ARGS = False,
        as_json: AS_JSON = False,
    ) -> None:
        """Print the dead letters, the latest death first: jobs that nobody tries again by themselves, and why."""
        org_id, seen = org_of(org), None if after is None else job_of(after)

        async def look(work: SystemWork) -> list[dead.Letter]:
            return await dead.dead(work, kind=kind, org=org_id, after=seen, limit=limit)

        found = _within(assembly, "dead", look, reading=True)
        print_rows(found, ("job", "died_at", "kind", "org", "attempt", "reason"), args=args, as_json=as_json)

    @jobs.command()
    def redrive(
        job: JOBS = None,
        *,
        kind: Annotated[str | None, typer.Option(help="All dead letters of this kind.")] = None,
        as_json: AS_JSON = False,
    ) -> None:
        """Put dead letters back into the queue, to be tried as often as they were to be at first."""
        ids = jobs_of(job or [])
        if bool(ids) is (kind is not None):
            raise typer.BadParameter("name the jobs, or say which --kind")
        back = ask(assembly, "jobs redrive", lambda call, _: _redrive(call, ids, kind))
        count("redriven", back, len(ids), as_json=as_json)

    @jobs.command("drop")
    def drop_letters(job: JOBS = None, *, as_json: AS_JSON = False) -> None:
        """Remove dead letters for good."""
        ids = jobs_of(job or [])
        if not ids:
            raise typer.BadParameter("name the jobs")
        count("dropped", ask(assembly, "jobs drop", lambda call, _: _drop(call, ids)), len(ids), as_json=as_json)


def _add_halting(jobs: typer.Typer, assembly: Assembly) -> None:
    @jobs.command("queues")
    def show_queues(*, as_json: AS_JSON = False) -> None:
        """Print every queue: how many jobs are due, later, held by their group and running, and if it is paused."""
        found = _within(assembly, "queues", queues.queues, reading=True)
        print_rows(found, ("name", "due", "later", "held", "running", "paused_at"), args=False, as_json=as_json)

    @jobs.command()
    def pause(queue: QUEUE, *, as_json: AS_JSON = False) -> None:
        """Start no job of a queue any more; what runs goes on, and jobs can be asked for."""
        if not 0 < len(queue) <= LONGEST_NAME:
            raise typer.BadParameter(f"a queue's name has 1 to {LONGEST_NAME} characters")

        async def stop(work: SystemWork) -> None:
            await queues.pause(work, queue)
            work.note("house:queue:paused", after={"queue": queue})

        _within(assembly, "pause", stop)
        say({"queue": queue, "paused": True}, f"{queue} is paused", as_json=as_json)

    @jobs.command()
    def resume(queue: QUEUE, *, as_json: AS_JSON = False) -> None:
        """Start the jobs of a paused queue again."""

        async def go_on(work: SystemWork) -> None:
            if not await queues.resume(work, queue):
                raise NotFound(f"The queue {queue} is not paused.")
            work.note("house:queue:resumed", after={"queue": queue})

        _within(assembly, "resume", go_on)
        say({"queue": queue, "paused": False}, f"{queue} is not paused any more", as_json=as_json)

    @jobs.command("cancel")
    def cancel_job(job: JOB, *, as_json: AS_JSON = False) -> None:
        """Take a job that waits out of the queue, or have its worker stop it; it does not come back."""
        job_id = job_of(job)

        async def withdraw(work: SystemWork) -> str:
            came = await cancelling.cancel(work, job_id)
            if came == "gone":
                raise NotFound(f"The job {JOB_ID.text(job_id)} neither waits nor runs.")
            work.note("house:job:cancelled", after={"came": came}, target=("job", job_id))
            return came

        came = _within(assembly, "cancel", withdraw)
        done = "is cancelled" if came == "removed" else "runs, and is being stopped"
        say({"job": JOB_ID.text(job_id), "cancelled": came}, f"{JOB_ID.text(job_id)} {done}", as_json=as_json)


def _within(
    assembly: Assembly,
    name: str,
    function: Callable[[SystemWork], Coroutine[Any, Any, Answer]],
    *,
    reading: bool = False,
) -> Answer:
    """What a function answers in one transaction of the house."""

    async def answer(call: Call, _: Registry) -> Answer:
        async with SystemWork(call, reason="an operator looks after the queue", reading=reading) as work:
            return await function(work)

    return ask(assembly, f"jobs {name}", answer)


async def _redrive(call: Call, ids: Sequence[UUID], kind: str | None) -> int:
    """Put all of them back, a batch a transaction, then have the workers look."""
    if kind is None:
        back = sum([await _put_back(call, ids=some) for some in _batches(ids)])
    else:
        back = await _redrive_kind(call, kind)
    if back:
        call.runtime.bell.ring()
    return back


async def _redrive_kind(call: Call, kind: str) -> int:
    async with SystemWork(call, reason="an operator puts dead letters back", reading=True) as work:
        there = await dead.count(work, kind=kind) or 0
    total, back = 0, 1
    # the oldest first, and as many as there were: what dies again meanwhile is not put back again without end
    while back and total < there:
        back = await _put_back(call, kind=kind)
        total += back
    return total


async def _put_back(call: Call, **which: Any) -> int:
    async with SystemWork(call, reason="an operator puts dead letters back") as work:
        return await dead.redrive(work, **which)


async def _drop(call: Call, ids: Sequence[UUID]) -> int:
    total = 0
    for some in _batches(ids):
        async with SystemWork(call, reason="an operator drops dead letters") as work:
            total += await dead.drop(work, some)
    return total


def _batches(ids: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    return (ids[start : start + dead.AT_ONCE] for start in range(0, len(ids), dead.AT_ONCE))
