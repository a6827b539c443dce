"""A job's work in its organization: behind the same wall as a member's, and it completes the job."""

from __future__ import annotations

import asyncpg
import pytest
from queue_kit import HANDLERS, Rows, ask, ask_in, statement
from queue_trial import Seen

from tenantry.foundation.data.database import job_context
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.run import Job, LeaseLost
from tenantry.foundation.jobs.worker import Worker, drain_jobs
from tenantry.foundation.runtime import Runtime

ORGS = """
    set local role tenantry_system;
    insert into tenantry.orgs (id, name, slug)
    select ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'Org ' || n, 'org-' || n from generate_series(1, 3) as n
"""
SECOND = "00000000-0000-0000-0000-000000000002"


async def test_a_job_sees_the_rows_of_its_organization_and_is_complete_with_them(
    runtime: Runtime, rows: Rows, seen: Seen, dsn: str
) -> None:
    await statement(dsn, ORGS)
    await ask_in(runtime, 2, NewJob("queue_trial.orgs"))
    assert await drain_jobs(runtime, HANDLERS) == 2
    assert seen.names[:4] == ["step", SECOND, "work", SECOND]
    assert await rows.count("job_runs") == await rows.count("jobs") == await rows.count("dead_letters") == 0
    assert [run[0] for run in seen.runs] == ["queue_trial.nothing"]


async def test_a_job_of_no_organization_sees_no_rows_there(runtime: Runtime, rows: Rows, seen: Seen, dsn: str) -> None:
    await statement(dsn, ORGS)
    await ask(runtime, NewJob("queue_trial.orgs"))
    assert await drain_jobs(runtime, HANDLERS) == 1
    assert seen.names == ["step", "work"]
    assert await rows.count("job_runs") == 0


async def test_a_job_cannot_write_outside_its_organization(runtime: Runtime, rows: Rows, dsn: str) -> None:
    await statement(dsn, ORGS)
    await ask_in(runtime, 2, NewJob("queue_trial.nothing"))
    worker = Worker(runtime, HANDLERS)
    (claimed,) = await worker._claim(1)
    job = Job(runtime, claimed, worker.id)
    async with job.org_work(reason="a test") as work:
        changed = "update tenantry.orgs set name = 'mine' where id <> $1"
        assert await work.connection.execute(changed, claimed.org_id) == "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with work.apart():
                await work.connection.execute("select * from tenantry.jobs")
    assert job.completed
    with pytest.raises(TypeError, match="complete"):
        job.org_step(reason="a test")


async def test_what_a_job_did_in_its_organization_is_gone_when_its_lease_was_lost(
    runtime: Runtime, rows: Rows, dsn: str
) -> None:
    await statement(dsn, ORGS)
    await ask_in(runtime, 2, NewJob("queue_trial.nothing"))
    worker = Worker(runtime, HANDLERS)
    (claimed,) = await worker._claim(1)
    with pytest.raises(LeaseLost):  # noqa: PT012  (a transaction is a block)
        async with Job(runtime, claimed, worker.id).org_work(reason="a test") as work:
            await work.connection.execute("update tenantry.orgs set name = 'mine'")
            await rows("delete from tenantry.job_runs returning id")
    assert not await rows("select from tenantry.orgs where name = 'mine'")


def test_the_words_that_open_it_are_made_of_an_id_only() -> None:
    with pytest.raises(TypeError):
        job_context("'; drop table tenantry.orgs; --")  # type: ignore[arg-type]
