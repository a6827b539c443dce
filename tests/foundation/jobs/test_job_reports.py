"""Reports of jobs that somebody waits for: there from the commit on, true at each one, and told no more than needed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import report_trial
from queue_kit import Rows, statement
from report_trial import Stage, Steps, sow

from patience import until
from tenantry.assemble import build_runtime
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.jobs.cancelling import cancel
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import Pace, Worker, drain_jobs
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.work import SystemWork
from tenantry.settings import Reading, Settings

REGISTRY = Registry([Domain(name="report_trial", jobs=report_trial)])
HANDLERS = REGISTRY.handlers
EXPIRE = "update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second' returning id"
COUNT_WRITES = """
create table tenantry.trial_told (said bigint);
create function tenantry.trial_tell() returns trigger language plpgsql as
    $$begin insert into tenantry.trial_told values (new.done); return null; end$$;
create trigger trial_told after update of done on tenantry.job_reports
    for each row execute function tenantry.trial_tell();
grant select, insert on tenantry.trial_told to tenantry_system;
"""
PERSON, ORG = UUID(int=7), UUID(int=9)


def equipped(dsn: str, *, pool: int = 16) -> Runtime:
    keys = Secret("one:" + base64.b64encode(bytes(range(32))).decode())
    settings = Settings(environment="development", database_url=Secret(dsn), master_keys=keys, database_pool=pool)
    return build_runtime(Reading(settings=settings, sections={}, sources={}, unknown=()), REGISTRY)


@pytest.fixture
async def runtime(dsn: str) -> AsyncIterator[Runtime]:
    made = equipped(dsn)
    yield made
    await made.bell.close()
    made.database.close()


@pytest.fixture(autouse=True)
def stage() -> Stage:
    report_trial.stage = Stage()
    return report_trial.stage


async def ask(runtime: Runtime, *jobs: NewJob) -> list[UUID]:
    """Have jobs asked for in one commit, by a person in an organization."""
    call = Call(runtime, Actor("person", person=PERSON, org=ORG), "req-7")
    async with SystemWork(call, reason="a test") as work:
        return [work.enqueue(job) for job in jobs]


async def report(rows: Rows, job: UUID) -> dict[str, Any] | None:
    found = await rows("select * from tenantry.job_reports where id = $1", job)
    return dict(found[0]) if found else None


async def lose(runtime: Runtime) -> None:
    """Have a worker take what is due and die, and another one notice."""
    lost = Worker(runtime, HANDLERS)
    await lost._claim(5)
    await Rows(runtime.database.url)(EXPIRE)
    await lost._sweep()


# there from the commit on


async def test_a_tracked_job_has_a_report_from_its_commit_on_and_no_other_job_has(runtime: Runtime, rows: Rows) -> None:
    tracked, plain = await ask(runtime, NewJob("report_trial.stand", tracked=True), NewJob("report_trial.stand"))
    ((asked_at,),) = await rows("select asked_at from tenantry.jobs where id = $1", tracked)
    assert await report(rows, tracked) == {
        "asked_at": asked_at, "id": tracked, "org_id": ORG, "person_id": PERSON, "kind": "report_trial.stand",
        "state": "waiting", "attempt": 0, "done": None, "total": None, "note": None, "started_at": None,
        "ended_at": None,
    }  # fmt: skip
    assert await report(rows, plain) is None


async def test_a_job_that_its_key_keeps_out_has_no_report_either(runtime: Runtime, rows: Rows) -> None:
    first, second = [(await ask(runtime, NewJob("report_trial.stand", key="one", tracked=True)))[0] for _ in range(2)]
    assert (await report(rows, first), await report(rows, second)) != (None, None)
    assert await report(rows, second) is None


async def test_a_rollback_leaves_no_report(runtime: Runtime, rows: Rows) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):  # noqa: PT012  (a transaction is a block)
        async with SystemWork(Call(runtime, NOBODY, "req"), reason="a test") as work:
            work.enqueue(NewJob("report_trial.stand", tracked=True))
            raise RuntimeError("changed my mind")
    assert await rows.count("job_reports") == 0


async def test_a_handler_that_is_marked_as_tracked_has_a_report_for_each_event(runtime: Runtime, rows: Rows) -> None:
    async with SystemWork(Call(runtime, NOBODY, "req"), reason="a test") as work:
        await sow(work, field="north")
    await drain_jobs(runtime, HANDLERS)
    ((kind, state),) = await rows("select kind, state from tenantry.job_reports")
    assert (kind, state) == ("report_trial.harvest", "done")


# true at each commit


async def test_a_report_follows_its_job_to_its_end(runtime: Runtime, rows: Rows, stage: Stage) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.stand", tracked=True))
    seen: list[dict[str, Any] | None] = []

    async def look() -> None:
        seen.append(await report(rows, job))

    stage.look = look
    await drain_jobs(runtime, HANDLERS)
    (running,), done = seen, await report(rows, job)
    assert running is not None
    assert done is not None
    assert (running["state"], running["attempt"], running["ended_at"]) == ("running", 1, None)
    assert (running["done"], running["total"], running["note"]) == (1, 2, "half way")
    assert (done["state"], done["attempt"]) == ("done", 1)
    assert running["asked_at"] <= running["started_at"] == done["started_at"] <= done["ended_at"]


async def test_a_job_that_is_tried_again_waits_again_and_in_the_end_has_failed(runtime: Runtime, rows: Rows) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.again", tracked=True, max_attempts=2))
    assert await drain_jobs(runtime, HANDLERS, until_idle=False) == 1
    waits = await report(rows, job)
    assert waits is not None
    assert (waits["state"], waits["attempt"], waits["done"], waits["ended_at"]) == ("waiting", 1, 1, None)
    assert await drain_jobs(runtime, HANDLERS) == 1
    failed = await report(rows, job)
    assert failed is not None
    assert (failed["state"], failed["attempt"], failed["done"]) == ("failed", 2, 2)
    assert failed["started_at"] == waits["started_at"]
    assert failed["ended_at"] is not None
    assert await rows.count("dead_letters") == 1


async def test_a_job_whose_worker_is_gone_waits_again_and_in_the_end_has_failed(runtime: Runtime, rows: Rows) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.stand", tracked=True, max_attempts=2))
    states = []
    for _ in range(2):
        await lose(runtime)
        states.append((await report(rows, job) or {})["state"])
    assert states == ["waiting", "failed"]


async def test_a_job_that_is_handed_back_waits_again(runtime: Runtime, rows: Rows, stage: Stage) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.stand", tracked=True))
    stop, worker = asyncio.Event(), Worker(runtime, HANDLERS, pace=Pace(grace=0.05, parting=1.0))
    working = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(15):
        await stage.at_gate.wait()
        stop.set()
        await working
    found = await report(rows, job)
    assert found is not None
    assert (found["state"], found["note"]) == ("waiting", "half way")
    stage.gate.set()
    await drain_jobs(runtime, HANDLERS)
    assert (await report(rows, job) or {})["state"] == "done"


async def test_a_job_that_is_taken_out_of_the_queue_is_cancelled(runtime: Runtime, rows: Rows) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.stand", tracked=True))
    async with SystemWork(Call(runtime, NOBODY, "req"), reason="a test") as work:
        assert await cancel(work, job) == "removed"
    found = await report(rows, job)
    assert found is not None
    assert found["state"] == "cancelled"
    assert found["ended_at"] is not None


async def test_a_job_that_is_cancelled_while_it_runs_says_so_when_it_is_over(
    runtime: Runtime, rows: Rows, stage: Stage
) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.stand", tracked=True))
    stop, worker = asyncio.Event(), Worker(runtime, HANDLERS, pace=Pace(grace=0.05, parting=1.0))
    working = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(20):
        await stage.at_gate.wait()
        async with SystemWork(Call(runtime, NOBODY, "req"), reason="a test") as work:
            assert await cancel(work, job) == "asked"
            # as the asking leaves it; once that is committed the worker may be done with it at any moment
            asked = await work.connection.fetchval("select state from tenantry.job_reports where id = $1", job)
            assert asked == "running"

        async def over() -> bool:
            return (await report(rows, job) or {})["state"] == "cancelled"

        await until(over)
        stop.set()
        await working
    assert await rows.count("jobs") == await rows.count("job_runs") == 0


# what a job says


async def test_what_was_said_last_reaches_the_row_and_little_else(runtime: Runtime, rows: Rows, dsn: str) -> None:
    await statement(dsn, COUNT_WRITES)
    (job,) = await ask(runtime, NewJob.of("report_trial.count", Steps(40), tracked=True))
    await drain_jobs(runtime, HANDLERS)
    done = await report(rows, job)
    assert done is not None
    assert (done["state"], done["done"], done["total"], done["note"]) == ("done", 40, 40, "step 40")
    assert [row["said"] for row in await rows("select said from tenantry.trial_told")] == [0, 40]


async def test_what_was_said_within_a_second_is_written_when_it_is_over(
    runtime: Runtime, rows: Rows, stage: Stage
) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.stand", tracked=True))
    draining = asyncio.create_task(drain_jobs(runtime, HANDLERS))
    async with asyncio.timeout(10):
        await stage.at_gate.wait()
    assert stage.job is not None
    await stage.job.report(done=2, total=2)
    assert (await report(rows, job) or {})["done"] == 1

    async def written() -> bool:
        return (await report(rows, job) or {})["done"] == 2

    await until(written, within=5)
    stage.gate.set()
    await draining


async def test_what_is_said_inside_the_jobs_own_work_is_read_before_its_commit(
    runtime: Runtime, rows: Rows, stage: Stage
) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.linger", tracked=True))
    draining = asyncio.create_task(drain_jobs(runtime, HANDLERS))
    async with asyncio.timeout(10):
        await stage.at_gate.wait()
    found = await report(rows, job)
    assert found is not None
    assert (found["state"], found["done"]) == ("running", 1)
    stage.gate.set()
    await draining
    assert (await report(rows, job) or {})["state"] == "done"


async def test_where_no_second_connection_is_free_it_is_said_with_the_commit(dsn: str, rows: Rows) -> None:
    await statement(dsn, COUNT_WRITES)
    narrow = equipped(dsn, pool=1)
    (job,) = await ask(narrow, NewJob.of("report_trial.commit", Steps(5), tracked=True))
    async with asyncio.timeout(10):
        assert await drain_jobs(narrow, HANDLERS) == 1
    done = await report(rows, job)
    assert done is not None
    assert (done["state"], done["done"], done["note"]) == ("done", 5, None)
    assert [row["said"] for row in await rows("select said from tenantry.trial_told")] == [5]
    assert await rows.count("trial") == 1
    await narrow.bell.close()
    narrow.database.close()


async def test_what_was_said_in_a_work_that_is_rolled_back_is_said_before_the_end_all_the_same(
    runtime: Runtime, rows: Rows
) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.undo", tracked=True))
    await drain_jobs(runtime, HANDLERS)
    failed = await report(rows, job)
    assert failed is not None
    assert (failed["state"], failed["done"]) == ("failed", 7)


async def test_a_late_worker_says_nothing_about_a_job_that_is_anothers(
    runtime: Runtime, rows: Rows, stage: Stage
) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.stand", tracked=True))
    late = Worker(runtime, HANDLERS)
    (claimed,) = await late._claim(1)
    await rows(EXPIRE)
    await late._sweep()
    late._crew.start(claimed)
    async with asyncio.timeout(10):
        await stage.at_gate.wait()
    assert (await report(rows, job) or {})["done"] is None
    await Worker(runtime, HANDLERS)._claim(1)
    assert stage.job is not None
    await stage.job.report(done=2, note="from the grave")
    stage.gate.set()
    await late._crew.finish(within=5)
    await late._ledger.write()
    found = await report(rows, job)
    assert found is not None
    assert (found["state"], found["attempt"], found["done"], found["note"]) == ("running", 2, None, None)


async def test_a_note_is_cut_to_plain_text(runtime: Runtime, rows: Rows, stage: Stage) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.boast", tracked=True))
    stage.gate.set()
    await drain_jobs(runtime, HANDLERS)
    note = (await report(rows, job) or {})["note"]
    assert note == ("all  fine " + "x" * 500)[:200]


async def test_a_count_below_nothing_is_the_handlers_mistake(runtime: Runtime, rows: Rows) -> None:
    (job,) = await ask(runtime, NewJob("report_trial.miscount", tracked=True, max_attempts=1))
    await drain_jobs(runtime, HANDLERS)
    assert (await report(rows, job) or {})["state"] == "failed"
    assert "ValueError" in (await rows("select reason from tenantry.dead_letters"))[0][0]


async def test_a_job_that_nobody_tracks_says_it_to_nobody(runtime: Runtime, rows: Rows, dsn: str) -> None:
    await statement(dsn, COUNT_WRITES)
    await ask(runtime, NewJob.of("report_trial.count", Steps(3)))
    assert await drain_jobs(runtime, HANDLERS) == 1
    assert await rows.count("trial_told") == await rows.count("job_reports") == await rows.count("dead_letters") == 0


async def test_a_job_does_not_fail_because_its_progress_cannot_be_written(
    runtime: Runtime, rows: Rows, dsn: str
) -> None:
    (job,) = await ask(runtime, NewJob.of("report_trial.count", Steps(3), tracked=True))
    await statement(dsn, "alter table tenantry.job_reports rename column note to said")
    assert await drain_jobs(runtime, HANDLERS) == 1
    assert (await report(rows, job) or {})["state"] == "done"


# what becomes of them


async def test_reports_lie_in_the_partition_of_their_month(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, NewJob("report_trial.stand", tracked=True))
    ((place, month),) = await rows(
        "select tableoid::regclass::text, to_char(asked_at at time zone 'UTC', '\"_y\"YYYY\"m\"MM')"
        " from tenantry.job_reports"
    )
    assert place == f"tenantry.job_reports{month}"
