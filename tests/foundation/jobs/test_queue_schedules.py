"""Schedules: what a cron expression means, and one job a tick however many processes tick."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from queue_kit import HANDLERS, Rows, runtime_on
from queue_trial import Planted, Seen

from patience import until
from tenantry.foundation.jobs.cron import Cron
from tenantry.foundation.jobs.handler import Job, collect, every, handles, on
from tenantry.foundation.jobs.schedule import Schedule
from tenantry.foundation.jobs.ticker import Ticker
from tenantry.foundation.jobs.worker import drain_jobs
from tenantry.foundation.runtime import Runtime

RAKE = [handler for handler in HANDLERS if handler.kind == "queue_trial.rake"]
SUNDAY = "2026-11-22T19:05:30+00:00"


@pytest.mark.parametrize(
    ("text", "last", "following"),
    [
        ("* * * * *", "2026-11-22T19:05", "2026-11-22T19:06"),
        ("0 3 * * *", "2026-11-22T03:00", "2026-11-23T03:00"),
        ("*/15 9-17 * * mon-fri", "2026-11-20T17:45", "2026-11-23T09:00"),
        ("5,35 */6 * * *", "2026-11-22T18:35", "2026-11-23T00:05"),
        ("0 0 1 jan *", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("0 0 29 2 *", "2024-02-29T00:00", "2028-02-29T00:00"),
        ("0 0 29 2 */4", "2024-02-29T00:00", "2032-02-29T00:00"),
        ("0 0 29 2 */6", "2020-02-29T00:00", "2032-02-29T00:00"),
        ("0 0 29 2 */5", "2008-02-29T00:00", "2032-02-29T00:00"),
        ("0 12 13 * 5", "2026-11-20T12:00", "2026-11-27T12:00"),
        ("0 12 * * 7", "2026-11-22T12:00", "2026-11-29T12:00"),
        ("10/20 0 * * *", "2026-11-22T00:50", "2026-11-23T00:10"),
    ],
)
def test_a_cron_expression_names_these_minutes(text: str, last: str, following: str) -> None:
    cron, now = Cron.parse(text), datetime.fromisoformat(SUNDAY)
    assert cron.last(now) == datetime.fromisoformat(last + "+00:00")
    assert cron.next(now) == datetime.fromisoformat(following + "+00:00")


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *",
     "a * * * *", "1- * * * *", "*/x * * * *", "0 0 31 2 *", "-1 * * * *", "¹ * * * *"],
)  # fmt: skip
def test_what_is_not_a_cron_expression_is_refused_when_it_is_written(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cron.parse(text)


def test_an_interval_ticks_at_the_same_instants_everywhere() -> None:
    schedule = Schedule.parse(None, 600)
    now = datetime.fromisoformat(SUNDAY)
    assert schedule.last(now) == datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
    assert schedule.next(now) == schedule.last(now) + timedelta(minutes=10)
    assert schedule.last(schedule.next(now)) == schedule.next(now)


async def test_three_tickers_at_once_ask_for_one_job_a_tick(
    runtime: Runtime, another: Runtime, rows: Rows, seen: Seen
) -> None:
    tickers = [Ticker(runtime, RAKE), Ticker(another, RAKE), Ticker(another, RAKE)]
    await asyncio.gather(*(ticker.tick() for ticker in tickers))
    assert await rows.count("jobs") == 0
    for tick in range(1, 6):
        await rows("update tenantry.job_schedules set tick = tick - interval '25 minutes' returning kind")
        await asyncio.gather(*(ticker.tick() for ticker in tickers))
        assert await drain_jobs(runtime, HANDLERS) == 1
        assert [run[0] for run in seen.runs] == ["queue_trial.rake"] * tick


async def test_a_schedule_that_is_new_starts_with_its_next_tick(runtime: Runtime, rows: Rows) -> None:
    wait = await Ticker(runtime, RAKE).tick()
    assert await rows.count("jobs") == 0
    assert timedelta(0) < wait <= timedelta(minutes=10)
    assert await rows.count("job_schedules") == 1


async def test_schedules_follow_the_test_clock(dsn: str, rows: Rows, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("2030-01-01T00:04:00Z")
    runtime = runtime_on(dsn, test_clock=str(clock))
    ticking = asyncio.create_task(Ticker(runtime, RAKE).run())
    await until(lambda: rows.count("job_schedules"))
    assert await rows.count("jobs") == 0
    clock.write_text("2030-01-01T09:10:00Z")
    await until(lambda: rows.count("jobs"), within=5)
    ((tick,),) = await rows("select tick from tenantry.job_schedules")
    assert tick == datetime(2030, 1, 1, 9, 10, tzinfo=UTC)
    ticking.cancel()
    await asyncio.wait([ticking])
    await runtime.bell.close()
    runtime.database.close()


AGO = "update tenantry.job_schedules set tick = tick - make_interval(mins => $2) where kind = $1 returning kind"


async def test_each_missed_tick_has_a_job_of_its_own_where_the_schedule_says_all(
    runtime: Runtime, another: Runtime, rows: Rows, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenantry.foundation.jobs.schedule.MADE_UP_AT_ONCE", 4)
    tickers = [Ticker(runtime, HANDLERS), Ticker(another, HANDLERS)]
    await tickers[0].tick()
    await rows(AGO, "queue_trial.weigh", 70)
    while timedelta(0) in await asyncio.gather(*(ticker.tick() for ticker in tickers)):
        continue
    waiting = await rows("select tick from tenantry.jobs where kind = 'queue_trial.weigh' order by seq")
    ((last,),) = await rows("select tick from tenantry.job_schedules where kind = 'queue_trial.weigh'")
    ticks = [last - timedelta(minutes=10) * ago for ago in range(6, -1, -1)]
    assert [row[0] for row in waiting] == ticks
    assert await drain_jobs(runtime, HANDLERS) == 7
    assert sorted(seen.ticks) == ticks  # type: ignore[type-var]


async def test_a_late_tick_is_passed_over_where_the_schedule_skips(runtime: Runtime, rows: Rows, seen: Seen) -> None:
    ticker = Ticker(runtime, HANDLERS)
    await ticker.tick()
    ((first,),) = await rows("select tick from tenantry.job_schedules where kind = 'queue_trial.burn'")
    await rows(AGO, "queue_trial.burn", 30)
    await ticker.tick()
    ((tick, late),) = await rows(
        "select tick, tenantry.now() - tick > interval '1 minute' from tenantry.job_schedules"
        " where kind = 'queue_trial.burn'"
    )
    assert tick >= first
    # in the first minute of an interval its tick is not late
    assert await rows.count("jobs") == (0 if late else 1)


def test_a_tick_is_late_after_a_minute_or_after_an_interval_that_is_shorter() -> None:
    now, ago = datetime.fromisoformat(SUNDAY), timedelta(days=1)
    for text, seconds, late in (("* * * * *", 0, 0), ("0 3 * * *", 0, 1), (None, 7, 0), (None, 86_400, 1)):
        skipping = Schedule.parse(text, seconds, "skip")
        assert len(skipping.missed_since(now - ago, now)) == 1 - late
        assert len(Schedule.parse(text, seconds).missed_since(now - ago, now)) == 1
        assert skipping.missed_since(now, now) == []
    every_second = Schedule.parse(None, 1, "all").missed_since(now - ago, now)
    assert len(every_second) == 1000
    assert every_second[0] == now - ago + timedelta(seconds=1)


def test_marks_say_what_a_function_answers_to_and_register_nothing() -> None:
    kinds = {handler.kind: handler for handler in HANDLERS}
    assert kinds["queue_trial.water"].event is Planted
    assert kinds["queue_trial.rake"].schedule == Schedule.parse(None, 600)
    assert kinds["queue_trial.hang"].timeout == 0.05
    assert kinds["queue_trial.rake"].sentence == "Rake the leaves."
    assert collect(ModuleType("empty")) == []


def test_a_handler_that_could_not_be_called_is_refused_when_it_is_written() -> None:
    async def two_things(job: Job, given: Planted) -> None: ...

    def not_async(job: Job) -> None: ...

    once = on(Planted)(two_things)
    with pytest.raises(TypeError, match="answers to one thing"):
        every(hours=1)(once)
    with pytest.raises(TypeError, match="async"):
        handles("x")(not_async)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="interval or a cron"):
        every()
    module = ModuleType(__name__)
    module.deaf = on(Planted)(_deaf)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="takes the job, and its event"):
        collect(module)


async def _deaf(job: Job) -> None: ...


async def test_a_clock_that_was_far_ahead_for_a_moment_silences_no_schedule(
    dsn: str, rows: Rows, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    runtime = runtime_on(dsn, test_clock=str(clock))
    ticker = Ticker(runtime, RAKE)
    for moment in ("2026-11-01T00:04", "2036-11-01T00:04", "2026-11-01T00:11"):
        clock.write_text(f"{moment}:00Z")
        await ticker.tick()
    before = await rows.count("jobs")
    clock.write_text("2026-11-01T00:21:00Z")
    await ticker.tick()
    assert await rows.count("jobs") == before + 1
    await runtime.bell.close()
    runtime.database.close()
