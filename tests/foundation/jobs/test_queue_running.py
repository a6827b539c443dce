"""Running jobs: claims, endings, retries and dead letters."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from queue_kit import HANDLERS, Rows, ask, statement, working
from queue_trial import Named, Seen

from patience import until
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.jobs.attempt import backoff
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.lease import QueueWork, claim
from tenantry.foundation.jobs.limited import FIRST_LANE
from tenantry.foundation.jobs.worker import Pace, Worker, drain_jobs
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork


async def take(runtime: Runtime, room: int = 100, *, start: UUID = FIRST_LANE, worker: UUID | None = None) -> list[Any]:
    async with QueueWork(runtime, reason="a test") as work:
        return await claim(work, queues=["default"], starts=[start], room=room, lease=60.0, worker=worker or new_id())


async def test_four_claimers_at_once_never_take_a_job_twice(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, *[NewJob("queue_trial.nothing") for _ in range(600)])
    start = asyncio.Barrier(4)

    async def claimer() -> list[UUID]:
        taken: list[UUID] = []
        await start.wait()
        while batch := await take(runtime, 7):
            taken += [job.id for job in batch]
        return taken

    taken = [id for ids in await asyncio.gather(*(claimer() for _ in range(4))) for id in ids]
    assert len(taken) == 600 == len(set(taken)) == await rows.count("job_runs")
    assert await rows.count("jobs") == 0


async def test_a_claim_uses_the_index_even_where_statistics_say_that_the_table_is_tiny(
    runtime: Runtime, dsn: str
) -> None:
    await ask(runtime, *[NewJob("queue_trial.nothing") for _ in range(3)])
    await statement(dsn, "analyze tenantry.jobs")
    arguments = {"queues": ["default"], "starts": [FIRST_LANE], "room": 10, "lease": 60.0, "worker": new_id()}
    async with QueueWork(runtime, reason="a test") as work:
        plan = await work.connection.fetch(f"explain (costs off) {claim.sql}", *claim.arguments(arguments))
    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan" not in text
    assert text.count("jobs_due") >= 3


async def test_lanes_are_served_in_turn_so_that_a_flood_in_one_holds_up_no_other(runtime: Runtime) -> None:
    flooding, quiet = UUID(int=1), UUID(int=2)
    for org, count in ((flooding, 300), (quiet, 2)):
        async with SystemWork(Call(runtime, Actor("person", org=org), "r"), reason="a test") as work:
            for _ in range(count):
                work.enqueue(NewJob("queue_trial.nothing"))
    taken = await take(runtime, 10)
    assert [job.lane for job in taken].count(quiet) == 2
    assert [job.lane for job in taken].count(flooding) == 5


async def test_more_lanes_than_one_claim_holds_are_all_served(runtime: Runtime, seen: Seen) -> None:
    for number in range(1, 13):
        async with SystemWork(Call(runtime, Actor("person", org=UUID(int=number)), "r"), reason="a test") as work:
            for _ in range(30):
                work.enqueue(NewJob("queue_trial.nothing"))
    worker = Worker(runtime, HANDLERS, concurrency=5, batch=5)
    lanes = set()
    for _ in range(3):
        lanes |= {job.lane.int for job in await worker._claim(5)}
    assert lanes == set(range(1, 13))


async def test_a_higher_priority_goes_first(runtime: Runtime, seen: Seen) -> None:
    await ask(runtime, *[NewJob("queue_trial.nothing") for _ in range(5)])
    await ask(runtime, NewJob("queue_trial.greet", '{"name": "first"}', priority=-5))
    (first,) = await take(runtime, 1)
    assert first.kind == "queue_trial.greet"


async def test_done_jobs_leave_nothing_behind(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask(runtime, *[NewJob.of("queue_trial.greet", Named(f"n{n}")) for n in range(250)])
    assert await drain_jobs(runtime, HANDLERS) == 250
    assert sorted(seen.names) == sorted(f"n{n}" for n in range(250))
    assert [await rows.count(table) for table in ("jobs", "job_runs", "dead_letters")] == [0, 0, 0]


async def test_a_worker_that_waited_for_its_endings_to_be_written_goes_on_as_soon_as_they_are(
    runtime: Runtime, seen: Seen
) -> None:
    async with working(runtime, Pace(poll=60, sweep=60, blind_poll=60, grace=1), concurrency=2) as worker:
        await until(lambda: worker.ear.listening)
        async with worker._ledger.lock:
            await ask(runtime, *[NewJob("queue_trial.nothing") for _ in range(40)])
            await until(lambda: worker._crew.backed_up and not len(worker._crew))
            assert len(seen.runs) < 40
        await until(lambda: len(seen.runs) == 40, within=3)


async def test_a_failed_job_waits_longer_each_time_and_ends_as_a_dead_letter(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    await ask(runtime, NewJob("queue_trial.fail", max_attempts=3))
    for attempt in (1, 2):
        assert await drain_jobs(runtime, HANDLERS) == 1
        ((wait, due, error),) = await rows(
            "select extract(epoch from run_at - tenantry.now())::float8, due, error from tenantry.jobs"
        )
        assert 2.0 ** (attempt - 1) - 1 < wait <= 2.0**attempt
        assert not due
        assert error.startswith("ValueError at jobs/queue_trial.py:")
        await rows("update tenantry.jobs set run_at = tenantry.now() returning 1")
    assert await drain_jobs(runtime, HANDLERS) == 1
    ((reason, attempt),) = await rows("select reason, attempt from tenantry.dead_letters")
    assert (attempt, "failed 3 times" in reason, "hunter2" in reason) == (3, True, False)
    assert await rows.count("jobs") == await rows.count("job_runs") == 0
    assert [run[2] for run in seen.runs] == [1, 2, 3]


def test_waits_double_with_jitter_up_to_three_hours() -> None:
    for attempt in range(1, 26):
        waits = {backoff(attempt) for _ in range(50)}
        full = min(10_800, 2.0**attempt)
        assert len(waits) > 10
        assert full / 2 <= min(waits) <= max(waits) <= full


async def test_a_handler_may_name_its_next_attempt(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, NewJob("queue_trial.later"))
    await drain_jobs(runtime, HANDLERS)
    ((wait, attempt),) = await rows(
        "select extract(epoch from run_at - tenantry.now())::float8, attempt from tenantry.jobs"
    )
    assert 490 < wait <= 500
    assert attempt == 1


async def test_a_handler_may_give_up_and_its_sentence_is_kept(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, NewJob("queue_trial.hopeless"), NewJob("queue_trial.nothing"))
    await drain_jobs(runtime, HANDLERS)
    ((reason,),) = await rows("select reason from tenantry.dead_letters")
    assert reason == "there is no such  tree ?"
    assert await rows.count("job_runs") == 0


async def test_a_handler_that_does_not_end_is_cut_off(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, NewJob("queue_trial.hang", max_attempts=1))
    async with asyncio.timeout(5):
        await drain_jobs(runtime, HANDLERS)
    ((reason,),) = await rows("select reason from tenantry.dead_letters")
    assert "TimeoutError" in reason


@pytest.mark.parametrize("args", ["[]", '{"name": 5}', "{}", "null", '"x"'])
async def test_arguments_that_do_not_fit_become_dead_letters_and_the_others_run(
    runtime: Runtime, rows: Rows, seen: Seen, args: str
) -> None:
    await ask(runtime, NewJob("queue_trial.greet", args), NewJob.of("queue_trial.greet", Named("Ann")))
    assert await drain_jobs(runtime, HANDLERS) == 2
    ((reason, kept),) = await rows("select reason, args from tenantry.dead_letters")
    assert reason == "its arguments do not fit its kind"
    assert kept == args
    assert seen.names == ["Ann"]


async def test_an_unknown_kind_is_waited_for_and_then_becomes_a_dead_letter(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    await ask(runtime, NewJob("nobody.knows", max_attempts=1), NewJob("queue_trial.nothing"))
    assert await drain_jobs(runtime, HANDLERS) == 2
    ((attempt, most),) = await rows("select attempt, max_attempts from tenantry.jobs")
    assert (attempt, most) == (1, 2)
    await rows(
        "update tenantry.jobs set run_at = run_at - interval '1 h', asked_at = asked_at - interval '1 h' returning 1"
    )
    assert await drain_jobs(runtime, HANDLERS) == 1
    ((reason,),) = await rows("select reason from tenantry.dead_letters")
    assert reason == "no handler for this kind"
    assert len(seen.runs) == 1


async def test_a_handler_that_exits_stops_nobody_else(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    await ask(runtime, NewJob("queue_trial.leave", max_attempts=1), NewJob("queue_trial.nothing"))
    assert await drain_jobs(runtime, HANDLERS) == 2
    assert await rows.count("dead_letters") == 1


async def test_completion_and_effect_are_one_commit(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    seen.gate.set()
    await ask(runtime, NewJob.of("queue_trial.write", Named("kept")))
    await drain_jobs(runtime, HANDLERS)
    assert [row[0] for row in await rows("select name from tenantry.trial")] == ["kept"]
    assert await rows.count("job_runs") == 0


async def test_nothing_private_is_logged(runtime: Runtime, seen: Seen) -> None:
    with structlog.testing.capture_logs() as lines:
        await ask(runtime, NewJob("queue_trial.fail"), NewJob("queue_trial.greet", '{"name": 5, "x": "hunter3"}'))
        await drain_jobs(runtime, HANDLERS)
    text = repr(lines)
    assert "hunter" not in text
    assert {line["request_id"] for line in lines if "kind" in line} == {"req-1"}


async def test_a_worker_takes_what_is_asked_for_while_it_idles(runtime: Runtime, seen: Seen) -> None:
    stop = asyncio.Event()
    worker = Worker(runtime, HANDLERS)
    working = asyncio.create_task(worker.run(stop))
    await until(lambda: worker.ear.listening)
    for number in range(5):
        await ask(runtime, NewJob("queue_trial.nothing", key=str(uuid4())))
        await until(lambda number=number: len(seen.runs) == number + 1, within=1)
    stop.set()
    await asyncio.wait_for(working, 5)


async def test_a_handler_that_waited_for_what_was_cancelled_has_failed_and_is_tried_again(
    runtime: Runtime, rows: Rows, seen: Seen
) -> None:
    await ask(runtime, NewJob("queue_trial.forsaken"))
    assert await drain_jobs(runtime, HANDLERS) == 1
    assert await rows.count("job_runs") == 0
    [job] = await rows("select attempt, error from tenantry.jobs")
    assert job["attempt"] == 1
    assert job["error"].startswith("CancelledError")


async def test_arguments_whose_own_check_breaks_make_a_dead_letter(runtime: Runtime, rows: Rows) -> None:
    await ask(runtime, NewJob("queue_trial.checked", '{"name":"x"}'))
    assert await drain_jobs(runtime, HANDLERS) == 1
    assert await rows.count("job_runs") == 0
    assert [row["reason"] for row in await rows("select reason from tenantry.dead_letters")] == [
        "its arguments do not fit its kind"
    ]
