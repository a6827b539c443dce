"""Asking for jobs: in the caller's commit or not at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from queue_kit import HANDLERS, Rows, ask, ask_in
from queue_trial import Named, Seen, plant

from patience import until
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.jobs.job import MAX_ARGS, ArgsTooLarge, NewJob
from tenantry.foundation.jobs.windows import forget_rates, forget_uniques
from tenantry.foundation.jobs.worker import drain_jobs
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork


def visitor(runtime: Runtime) -> Call:
    return Call(runtime, Actor("person", person=UUID(int=7), org=UUID(int=9)), "req-7")


async def test_a_commit_leaves_one_job_for_each_listener_of_its_event(runtime: Runtime, rows: Rows) -> None:
    async with SystemWork(visitor(runtime), reason="a test") as work:
        await plant(work, name="oak")
    jobs = await rows("select kind, queue, version, max_attempts, args, request_id from tenantry.jobs order by kind")
    assert [tuple(job)[:4] for job in jobs] == [
        ("queue_trial.prune", "slow", 3, 25),
        ("queue_trial.water", "default", 3, 2),
    ]
    assert {json.loads(job["args"])["name"] for job in jobs} == {"oak"}
    assert {job["request_id"] for job in jobs} == {"req-7"}


async def test_a_rollback_leaves_no_job(runtime: Runtime, rows: Rows) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):  # noqa: PT012  (a transaction is a block)
        async with SystemWork(visitor(runtime), reason="a test") as work:
            await plant(work, name="oak")
            work.enqueue(NewJob("queue_trial.nothing"))
            raise RuntimeError("changed my mind")
    assert await rows.count("jobs") == 0
    assert await rows.count("events") == 0


async def test_a_job_carries_who_asked_and_the_request(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    async with SystemWork(visitor(runtime), reason="a test") as work:
        work.enqueue(NewJob.of("queue_trial.chain", Named("elm")))
    assert await drain_jobs(runtime, HANDLERS) == 3
    (event,) = await rows("select actor, request_id from tenantry.events")
    assert json.loads(event["actor"]) == {
        "kind": "job",
        "person": str(UUID(int=7)),
        "org": str(UUID(int=9)),
        "name": "queue_trial.chain",
    }
    assert event["request_id"] == "req-7"
    assert seen.names == ["elm"]


async def test_a_later_job_waits_for_its_time(runtime: Runtime, seen: Seen, dsn: str) -> None:
    await ask(runtime, NewJob("queue_trial.nothing", delay=3600), NewJob("queue_trial.nothing", delay=1.5))
    assert await drain_jobs(runtime, HANDLERS) == 0
    await until(lambda: drain_jobs(runtime, HANDLERS))
    assert len(seen.runs) == 1


async def test_a_key_keeps_a_second_job_out_while_the_first_waits(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, NewJob("queue_trial.nothing", key="one"))
    await ask(runtime, NewJob("queue_trial.nothing", key="one"), NewJob("queue_trial.nothing", key="two"))
    assert await rows.count("jobs") == 2
    await drain_jobs(runtime, HANDLERS)
    await ask(runtime, NewJob("queue_trial.nothing", key="one"))
    assert await rows.count("jobs") == 1


async def test_a_key_with_a_window_stays_unique_after_its_job_has_run(runtime: Runtime, rows: Rows) -> None:
    def once(org: int | None = None) -> Any:
        return ask_in(runtime, org, NewJob("queue_trial.nothing", key="one", unique_for=60))

    await once()
    assert await drain_jobs(runtime, HANDLERS) == 1
    await once()
    await ask(runtime, NewJob("queue_trial.nothing", key="one", unique_for=60), NewJob("queue_trial.nothing"))
    assert await drain_jobs(runtime, HANDLERS) == 1
    await once(org=5)
    assert await drain_jobs(runtime, HANDLERS) == 1
    await rows("update tenantry.job_uniques set until = tenantry.now() - interval '1 second' returning kind")
    await once()
    await once()
    assert await drain_jobs(runtime, HANDLERS) == 1
    assert await rows.count("job_uniques") == 2


async def test_a_window_belongs_to_the_commit_that_opened_it(runtime: Runtime, rows: Rows) -> None:
    job = NewJob("queue_trial.nothing", key="one", unique_for=60)
    with pytest.raises(RuntimeError, match="changed my mind"):  # noqa: PT012  (a transaction is a block)
        async with SystemWork(visitor(runtime), reason="a test") as work:
            work.enqueue(job)
            raise RuntimeError("changed my mind")
    # many at once, some twice, in crossing orders: one each
    jobs = [NewJob("queue_trial.nothing", key=f"{n % 20}", unique_for=60) for n in range(40)]
    await asyncio.gather(*(ask(runtime, *order) for order in (jobs, jobs[::-1], jobs[5:], jobs[:9])))
    assert await rows.count("jobs") == 20


async def test_windows_and_rates_that_are_over_are_swept(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, *[NewJob("queue_trial.nothing", key=f"{n}", unique_for=1 + 60 * n) for n in range(2)])
    await rows("update tenantry.job_uniques set until = until - interval '9 seconds' returning kind")
    await rows(
        "insert into tenantry.job_rates"
        " select 'q', 'lane', gen_random_uuid(), '', tenantry.now() + n * interval '9 s' from unnest(array[-1, 1]) as n"
        " returning queue"
    )
    async with SystemWork(visitor(runtime), reason="a test") as work:
        assert [await forget(work, most=10) for forget in (forget_uniques, forget_rates)] == [1, 1]


@pytest.mark.parametrize(
    "wrong", [{"key": ""}, {"group": "x" * 201}, {"unique_for": 5}, {"key": "k", "unique_for": -1}]
)
def test_a_key_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="queue_trial"):
        NewJob("queue_trial.nothing", **wrong)


async def test_large_arguments_are_refused_before_the_database_sees_them() -> None:
    with pytest.raises(ArgsTooLarge):
        NewJob("queue_trial.greet", "x" * (MAX_ARGS + 1))
    with pytest.raises(ArgsTooLarge):
        NewJob.of("queue_trial.greet", Named("x" * 1_048_576))


async def test_the_database_refuses_large_arguments_too(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.CheckViolationError, match="job_args_are_small"):  # noqa: PT012  (a transaction is a block)
        async with connection.transaction():
            await connection.execute("set local role tenantry_system")
            await connection.execute(
                "insert into tenantry.jobs (id, kind, args) values ($1, 'x', to_jsonb(repeat('x', 1100000)))", uuid4()
            )
    await connection.close()


@pytest.mark.parametrize(
    "sql",
    [
        "select id from tenantry.jobs",
        "delete from tenantry.jobs",
        "update tenantry.jobs set due = true",
        "select id from tenantry.job_runs",
        "select id from tenantry.dead_letters",
        "insert into tenantry.dead_letters select * from tenantry.dead_letters",
        "select kind from tenantry.job_schedules",
        "select name from tenantry.job_queues",
        "select queue from tenantry.job_rates",
        "delete from tenantry.job_uniques",
        "update tenantry.job_uniques set kind = 'x'",
        f"insert into tenantry.jobs (id, kind) values ('{UUID(int=5)}', 'x') returning kind",
    ],
)
async def test_the_application_role_can_ask_for_jobs_and_do_nothing_else_to_them(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):  # noqa: PT012  (a transaction is a block)
            async with connection.transaction():
                await connection.execute("set local role tenantry_app")
                await connection.execute(sql)
        async with connection.transaction():
            person = uuid4()
            await connection.execute(f"set local role tenantry_app; set local tenantry.person = '{person}'")
            ask = "insert into tenantry.jobs (id, kind, person_id) values ($1, 'x', $2) on conflict do nothing"
            await connection.execute(ask, uuid4(), person)
    finally:
        await connection.close()


async def test_row_security_is_enabled_and_forced_on_every_table_of_the_queue(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    walls = await connection.fetch(
        """select relname, relrowsecurity and relforcerowsecurity as walled from pg_class
            where relnamespace = 'tenantry'::regnamespace and relkind in ('r', 'p')
              and relname in ('jobs', 'job_runs', 'dead_letters', 'job_schedules')"""
    )
    await connection.close()
    assert {row["relname"]: row["walled"] for row in walls} == dict.fromkeys(
        ("jobs", "job_runs", "dead_letters", "job_schedules"), True
    )


@pytest.mark.parametrize(
    "odd", [{"delay": float("nan")}, {"delay": float("inf")}, {"delay": 1e300}, {"queue": ""}, {"queue": "q" * 101}]
)
def test_a_job_that_no_worker_would_come_to_is_refused_when_it_is_said(odd: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"limit|characters"):
        NewJob("queue_trial.nothing", **odd)
