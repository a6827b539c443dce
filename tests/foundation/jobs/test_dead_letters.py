"""Dead letters: looked at, put back with fresh attempts, dropped, and cut by month."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import report_trial
from queue_kit import Rows
from report_trial import Stage

from tenantry.assemble import build_runtime
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.data import migrations
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.jobs import dead
from tenantry.foundation.jobs.dead import Letter
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import Worker, drain_jobs
from tenantry.foundation.problems import NotFound
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.work import SystemWork
from tenantry.settings import Reading, Settings
from tenantry.testing import Databases

REGISTRY = Registry([Domain(name="report_trial", jobs=report_trial)])
HANDLERS = REGISTRY.handlers
ORG = UUID(int=9)
EXPIRE = "update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second' returning id"
MANY = """
    insert into tenantry.dead_letters (id, asked_at, run_at, died_at, priority, version, attempt, max_attempts, kind,
                                       queue, request_id, reason, args)
    select gen_random_uuid(), tenantry.now(), tenantry.now(), tenantry.now() + number * interval '1 microsecond', 0, 1,
           3, 3, $1, 'default', 'req', 'a test', '{}'
      from generate_series(1, $2::integer) as number
    returning id
"""

OLD = """
    insert into tenantry.dead_letters (id, asked_at, run_at, died_at, priority, version, attempt, max_attempts, kind,
                                       queue, request_id, reason, args)
    select gen_random_uuid(), died_at, died_at, died_at, 0, 1, 3, 3, 'trial.old', 'default', 'req', reason, '{}'
      from (values (tenantry.now(), 'just now'), (tenantry.now() - interval '2 years', 'long ago'))
        as old (died_at, reason)
"""


@pytest.fixture
async def runtime(dsn: str) -> AsyncIterator[Runtime]:
    keys = Secret("one:" + base64.b64encode(bytes(range(32))).decode())
    settings = Settings(environment="development", database_url=Secret(dsn), master_keys=keys)
    made = build_runtime(Reading(settings=settings, sections={}, sources={}, unknown=()), REGISTRY)
    yield made
    await made.bell.close()
    made.database.close()


@pytest.fixture(autouse=True)
def stage() -> Stage:
    report_trial.stage = Stage()
    return report_trial.stage


def house(runtime: Runtime) -> SystemWork:
    return SystemWork(Call(runtime, Actor("cli", name="test"), "req-1"), reason="a test")


async def die(runtime: Runtime, *, tracked: bool = False, org: UUID | None = None, tries: int = 1) -> UUID:
    """A job that has died of its last attempt."""
    actor = NOBODY if org is None else Actor("person", org=org)
    async with SystemWork(Call(runtime, actor, "req-7"), reason="a test") as work:
        job = work.enqueue(NewJob("report_trial.again", max_attempts=tries, tracked=tracked))
    await drain_jobs(runtime, HANDLERS)
    return job


async def letters(runtime: Runtime, **which: Any) -> list[Letter]:
    async with house(runtime) as work:
        return await dead.dead(work, **which)


async def redriven(runtime: Runtime, **which: Any) -> int:
    async with house(runtime) as work:
        return await dead.redrive(work, **which)


async def test_the_latest_death_comes_first_and_pages_go_on_after_one_seen(runtime: Runtime, rows: Rows) -> None:
    ids = [row["id"] for row in await rows(MANY, "trial.many", 5)]
    mine = await die(runtime, org=ORG)
    found = await letters(runtime, limit=4)
    died = [letter.died_at for letter in found]
    assert died == sorted(died, reverse=True)
    rest = await letters(runtime, after=found[-1].id, limit=4)
    assert {letter.id for letter in (*found, *rest)} == {*ids, mine}
    assert [letter.id for letter in await letters(runtime, org=ORG)] == [mine]
    assert {letter.id for letter in await letters(runtime, kind="trial.many")} == set(ids)
    with pytest.raises(NotFound):
        await letters(runtime, after=uuid4())


async def test_a_letter_says_what_it_was_and_why_it_died(runtime: Runtime) -> None:
    job = await die(runtime, org=ORG, tries=2)
    (letter,) = await letters(runtime)
    assert (letter.id, letter.kind, letter.queue, letter.org_id, letter.attempt, letter.request_id) == (
        job, "report_trial.again", "default", ORG, 2, "req-7",
    )  # fmt: skip
    assert letter.reason.startswith("failed 2 times")
    assert json.loads(letter.args) == {}


async def test_a_letter_that_is_put_back_is_tried_as_often_as_at_first_and_its_attempt_never_goes_down(
    runtime: Runtime, rows: Rows
) -> None:
    job = await die(runtime, tries=2)
    for round_ in (1, 2, 3):
        assert await redriven(runtime, ids=[job]) == 1
        ((attempt, most, spared),) = await rows("select attempt, max_attempts, spared from tenantry.jobs")
        assert (attempt, most, spared) == (2 * round_, 2 * round_ + 2, 2 * round_)
        assert await drain_jobs(runtime, HANDLERS) == 2
        (letter,) = await letters(runtime)
        assert letter.attempt == 2 * round_ + 2


async def test_a_letter_that_gave_up_early_has_all_its_attempts_again(runtime: Runtime, rows: Rows) -> None:
    async with house(runtime) as work:
        job = work.enqueue(NewJob("report_trial.undo", max_attempts=5))
    await drain_jobs(runtime, HANDLERS)
    assert await redriven(runtime, ids=[job]) == 1
    assert [tuple(row) for row in await rows("select attempt, max_attempts from tenantry.jobs")] == [(1, 6)]


async def test_a_letter_goes_back_to_its_group(runtime: Runtime, rows: Rows) -> None:
    for lost in (False, True):
        async with house(runtime) as work:
            job = work.enqueue(NewJob("report_trial.again", max_attempts=1, group="one"))
        if lost:
            worker = Worker(runtime, HANDLERS)
            await worker._claim(1)
            await rows(EXPIRE)
            await worker._sweep()
        else:
            await drain_jobs(runtime, HANDLERS)
        assert await redriven(runtime, ids=[job]) == 1
        assert [row[0] for row in await rows("select group_key from tenantry.jobs")] == ["one"]
        await rows("delete from tenantry.jobs returning id")


async def test_a_worker_from_before_its_death_cannot_finish_a_letter_that_is_back(
    runtime: Runtime, rows: Rows, stage: Stage
) -> None:
    async with house(runtime) as work:
        job = work.enqueue(NewJob("report_trial.stand", max_attempts=1))
    late = Worker(runtime, HANDLERS)
    (claimed,) = await late._claim(1)
    await rows(EXPIRE)
    await late._sweep()
    assert await redriven(runtime, ids=[job]) == 1
    (again,) = await Worker(runtime, HANDLERS)._claim(1)
    stage.gate.set()
    late._crew.start(claimed)
    await late._crew.finish(within=5)
    await late._ledger.write()
    assert again.attempt == 2
    assert await rows.count("job_runs") == 1


async def test_a_tracked_job_that_is_put_back_waits_again(runtime: Runtime, rows: Rows) -> None:
    job = await die(runtime, tracked=True, tries=2)
    assert await redriven(runtime, ids=[job]) == 1
    ((state, attempt, ended_at),) = await rows("select state, attempt, ended_at from tenantry.job_reports")
    assert (state, attempt, ended_at) == ("waiting", 2, None)
    await drain_jobs(runtime, HANDLERS, until_idle=False)
    ((state, attempt),) = await rows("select state, attempt from tenantry.job_reports")
    assert (state, attempt) == ("waiting", 3)


async def test_letters_go_back_and_away_a_thousand_at_a_time(runtime: Runtime, rows: Rows) -> None:
    await rows(MANY, "trial.many", 1500)
    assert await redriven(runtime, kind="trial.many") == 1000
    assert await redriven(runtime, kind="trial.many") == 500
    assert (await rows.count("dead_letters"), await rows.count("jobs")) == (0, 1500)
    with pytest.raises(ValueError, match="one batch"):
        await redriven(runtime, ids=[uuid4() for _ in range(1001)])
    with pytest.raises(TypeError):
        await redriven(runtime)


async def test_letters_are_dropped_for_good_and_it_is_said_in_the_audit_log(runtime: Runtime, rows: Rows) -> None:
    gone, kept = await die(runtime), await die(runtime)
    async with house(runtime) as work:
        assert await dead.drop(work, [gone, uuid4()]) == 1
    assert [letter.id for letter in await letters(runtime)] == [kept]
    assert await redriven(runtime, ids=[kept, gone]) == 1
    noted = await rows("select action, actor_name, after from tenantry.audit_log order by id")
    assert [(row["action"], row["actor_name"], json.loads(row["after"])) for row in noted] == [
        ("house:dead_letters:dropped", "test", {"letters": 1}),
        ("house:dead_letters:redriven", "test", {"letters": 1}),
    ]


async def test_a_letter_that_somebody_else_puts_back_at_the_same_time_is_put_back_once(
    runtime: Runtime, rows: Rows
) -> None:
    job = await die(runtime)
    async with house(runtime) as work:
        assert await dead.redrive(work, ids=[job]) == 1
        assert await redriven(runtime, ids=[job]) == 0
    assert await rows.count("jobs") == 1


async def test_a_letter_lies_in_the_month_of_its_death(runtime: Runtime, rows: Rows) -> None:
    await die(runtime)
    ((place, month),) = await rows(
        "select tableoid::regclass::text, to_char(died_at at time zone 'UTC', '\"_y\"YYYY\"m\"MM')"
        " from tenantry.dead_letters"
    )
    assert place == f"tenantry.dead_letters{month}"


async def test_letters_from_before_they_were_cut_by_month_are_moved_along(databases: Databases) -> None:
    """By an owner whom row security binds as well."""
    await databases._run("create database older")
    connection = await asyncpg.connect(databases.url("older"))
    try:
        assert not await connection.fetchval("select rolsuper from pg_roles where rolname = current_user")
        await connection.execute("create schema tenantry")
        for revision, sql in migrations.plan():
            if revision == "0014":
                await connection.execute(f"set role tenantry_system; {OLD}; reset role")
            await connection.execute(sql)
        await connection.execute("set role tenantry_system")
        found = await connection.fetch("select reason, tracked from tenantry.dead_letters order by died_at")
        assert [tuple(row) for row in found] == [("long ago", False), ("just now", False)]
    finally:
        await connection.close()
        await databases._drop("older")
