"""Consumers: each event once, whatever dies; one process at a time; what fails holds up nobody else."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import log_trial
import pytest
from log_kit import BESIDE, CONSUMERS, LATE, REGISTRY, TALLY, Looks, added, begun, put, runtime_on, work_on, writing

from patience import until
from tenantry import ConsumerWork, Logged, consumer, run
from tenantry.entrypoints.worker.serving import serve
from tenantry.foundation.action import action
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.events import following, steering
from tenantry.foundation.events.consumer import Consumer
from tenantry.foundation.events.following import Follower, Rhythm, drain_consumers
from tenantry.foundation.events.looking import standings
from tenantry.foundation.events.stepping import Batch, step
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.problems import Problem
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import Work
from tenantry.testing import Installation

Connection = asyncpg.Connection
QUICK = Rhythm(poll=0.1, blind_poll=0.1, held_poll=0.01)
NEVER = Rhythm(poll=300, blind_poll=300, held_poll=0.01)


@asynccontextmanager
async def followed(runtime: Runtime, *, rhythm: Rhythm = QUICK, **rest: Any):
    task = asyncio.create_task(Follower(runtime, CONSUMERS.values(), rhythm=rhythm, **rest).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()


async def drain(runtime: Runtime) -> int:
    return await drain_consumers(runtime, CONSUMERS.values())


async def tried_again(dsn: str) -> None:
    async with writing(dsn) as connection:
        await connection.execute("update tenantry.consumers set next_try_at = null")


async def test_a_new_consumer_reads_from_the_beginning_or_from_now(
    runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    await put(writer, added(1, 2))
    await put(writer, ['{"title": "before"}'], kind="log_trial.renamed")
    assert await drain(runtime) == 4
    await put(writer, ['{"title": "since"}'], kind="log_trial.renamed")
    assert await drain(runtime) == 1
    assert await looks.tally() == [1, 2]
    assert await looks.tally("log_trial.late") == [len("since")]


async def test_what_a_consumer_did_and_its_place_are_one_commit(
    runtime: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    await begun(runtime)
    await put(writer, added(1, 2, 3))
    behaviour.fail_once = True
    failed = await step(runtime, TALLY, 1)
    assert failed.how == "failed"
    assert (await looks.tally(), (await looks.place())["tx"]) == ([], 0)
    await drain(runtime)
    assert await looks.tally() == [1, 2, 3]
    assert (await looks.place())["failures"] == 0


async def test_a_step_that_is_cut_off_leaves_nothing_and_is_taken_again(
    runtime: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    await begun(runtime)
    await put(writer, added(1, 2, 3))
    behaviour.hold = asyncio.Event()
    task = asyncio.create_task(step(runtime, TALLY, 1))
    await behaviour.entered.wait()
    task.cancel()
    await asyncio.wait([task])
    behaviour.hold = None
    assert (await looks.tally(), (await looks.place())["failures"]) == ([], 0)
    await drain(runtime)
    assert await looks.tally() == [1, 2, 3]


async def test_a_consumer_whose_connection_is_killed_at_the_effect_does_it_once(
    dsn: str, runtime: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    await begun(runtime)
    await put(writer, added(1, 2, 3))
    behaviour.hold = asyncio.Event()
    task = asyncio.create_task(step(runtime, TALLY, 1))
    await behaviour.entered.wait()
    owner = await asyncpg.connect(dsn)
    await owner.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and state = 'idle in transaction'"
    )
    await owner.close()
    behaviour.hold.set()
    await asyncio.wait([task])
    behaviour.hold = None
    await tried_again(dsn)
    await drain(runtime)
    assert await looks.tally() == [1, 2, 3]


async def test_one_process_at_a_time_has_a_consumer(
    runtime: Runtime, another: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    await begun(runtime)
    await put(writer, added(1))
    behaviour.hold = asyncio.Event()
    first = asyncio.create_task(step(runtime, TALLY, 1))
    await behaviour.entered.wait()
    assert (await step(another, TALLY, 1)).how == "idle"
    assert (await step(another, BESIDE, 1)).events == 1
    behaviour.hold.set()
    assert (await first).events == 1
    assert await looks.tally() == [1]


async def test_a_failure_is_not_noted_where_another_process_has_gone_on(
    runtime: Runtime, another: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    await begun(runtime)
    await put(writer, added(1))
    behaviour.fail_once = True
    failing = Batch(runtime, TALLY, 1, closing=False)
    with pytest.raises(RuntimeError) as raised:
        await failing.do()
    assert (await step(another, TALLY, 1)).how == "done"
    await failing.note(raised.value)
    place = await looks.place()
    assert (place["failures"], place["failed_event"], place["error"]) == (0, None, None)


async def test_two_processes_together_do_each_event_once(
    dsn: str, runtime: Runtime, another: Runtime, looks: Looks
) -> None:
    async def write(numbers: range) -> None:
        async with writing(dsn) as connection:
            for n in numbers:
                await put(connection, added(n))

    async with followed(runtime), followed(another):
        await asyncio.gather(*(write(range(first, first + 200)) for first in range(0, 800, 200)))
        for name in ("log_trial.tally", "log_trial.beside"):
            await until(lambda name=name: _kept(looks, name, 800))
    for name in ("log_trial.tally", "log_trial.beside"):
        assert await looks.tally(name) == list(range(800))


async def _kept(looks: Looks, name: str, count: int) -> bool:
    return len(await looks.tally(name)) >= count


async def test_a_poison_event_stops_its_consumer_there_and_nobody_else(
    dsn: str, runtime: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    behaviour.poison = {25}
    await put(writer, added(*range(20)))
    await put(writer, added(*range(20, 50)))
    await begun(runtime)
    while (await step(runtime, TALLY, 1)).more:
        pass
    place = await looks.place()
    # all before it is done, though it is in a transaction with them
    assert await looks.tally() == list(range(25))
    # what it was and where, without its text, which may quote what is in the event
    assert place["failures"] == 1
    assert place["error"].startswith("ValueError at ")
    assert place["failed_event"]
    assert place["failed_at"]
    assert (await step(runtime, TALLY, 1)).how == "idle"  # not before its time
    assert (await step(runtime, BESIDE, 1)).events == 50
    for _ in range(3):
        await tried_again(dsn)
        assert (await step(runtime, TALLY, 1)).how == "failed"
    async with work_on(runtime) as work:
        [told] = [one for one in await standings(work, CONSUMERS.values()) if one.name == TALLY.name]
    assert told.state == "stuck"
    assert told.failed_event == place["failed_event"]
    assert told.behind == 25


async def test_an_operator_has_exactly_the_event_passed_over_that_it_is_stuck_on(
    runtime: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    behaviour.poison = {5, 7}
    await put(writer, added(*range(10)))
    with pytest.raises(ValueError, match="poison"):
        await drain(runtime)
    assert await looks.tally() == [0, 1, 2, 3, 4]
    stuck_on = (await looks.place())["failed_event"]
    async with work_on(runtime) as work:
        skipped = await steering.skip(work, TALLY.name)
    assert skipped.event == stuck_on
    with pytest.raises(ValueError, match="poison"):
        await drain(runtime)
    behaviour.poison = set()
    async with work_on(runtime) as work:
        await steering.resume(work, TALLY.name)
    await tried_again(looks.dsn)
    await drain(runtime)
    assert await looks.tally() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert (await looks.place())["skipped"] == [stuck_on]
    with pytest.raises(Problem, match="not stuck"):
        async with work_on(runtime) as work:
            await steering.skip(work, TALLY.name)


async def test_a_mended_consumer_goes_on_by_itself_in_whole_batches(
    runtime: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    behaviour.poison = {5}
    await put(writer, added(*range(10)))
    with pytest.raises(ValueError, match="poison"):
        await drain(runtime)
    behaviour.poison = set()
    await tried_again(looks.dsn)
    await put(writer, added(*range(10, 40)))
    behaviour.batches = []
    await drain(runtime)
    assert await looks.tally() == list(range(40))
    assert behaviour.batches == [1, 1, 1, 1, 1, 30]
    assert (await looks.place())["careful_until"] is None


async def test_an_event_of_a_later_release_is_waited_for(runtime: Runtime, writer: Connection, looks: Looks) -> None:
    await begun(runtime)
    await put(writer, ["{}"], kind="log_trial.renamed", version=4)
    failed = await step(runtime, LATE, 1)
    assert failed.how == "failed"
    assert (await looks.place(LATE.name))["error"] == "log_trial.renamed of version 4, and this release knows 3"


async def test_a_failing_commit_is_the_failure_of_its_consumer(
    dsn: str, runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    owner = await asyncpg.connect(dsn)
    await owner.execute(
        "alter table tenantry.tally add constraint once unique (event, consumer) deferrable initially deferred"
    )
    await begun(runtime)
    await put(writer, added(1))
    await drain(runtime)
    await owner.close()
    back = "update tenantry.consumers set epoch = 0, tx = '0'::xid8, id = 0 where name = $1"
    async with writing(dsn) as connection:
        await connection.execute(back, TALLY.name)
    assert (await step(runtime, TALLY, 1)).how == "failed"
    assert (await looks.place())["failures"] == 1


async def test_a_paused_consumer_stands_still_until_it_is_resumed(
    runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    await begun(runtime)
    async with work_on(runtime) as work:
        await steering.pause(work, TALLY.name)
    await put(writer, added(1))
    assert (await step(runtime, TALLY, 1)).how == "idle"
    await drain(runtime)
    assert (await looks.tally(), await looks.tally("log_trial.beside")) == ([], [1])
    async with work_on(runtime) as work:
        await steering.resume(work, TALLY.name)
    await drain(runtime)
    assert await looks.tally() == [1]


async def test_events_that_nobody_asked_for_are_left_behind_in_time(
    runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    await drain(runtime)
    await put(writer, ["{}"] * 10, kind="log_trial.unknown")
    await drain(runtime)
    assert (await looks.place())["tx"] == 0
    for _ in range(5):
        await put(writer, ["{}"] * 100, kind="log_trial.unknown")
    await drain(runtime)
    assert (await looks.place())["tx"] > 0


async def test_a_commit_that_records_what_a_consumer_reads_wakes_it(runtime: Runtime, looks: Looks) -> None:
    worker_ear = following.Ear(runtime, lambda: None)
    listening = asyncio.create_task(worker_ear.listen())
    try:
        async with followed(runtime, rhythm=NEVER, ear=worker_ear):
            await until(lambda: worker_ear.listening)
            await until(looks.place)
            rung = runtime.bell.rung
            async with work_on(runtime) as work:
                await note(work, n=7)
            await until(looks.tally, within=3)
            assert runtime.bell.rung > rung
    finally:
        listening.cancel()
        await asyncio.wait([listening])


@action(requires=ANYONE, records=log_trial.Added)
async def note(work: Work, *, n: int) -> None:
    """Add a number."""
    work.record(log_trial.Added(n=n))


async def test_a_worker_serves_consumers_until_it_is_told_to_stop(
    runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(runtime, REGISTRY, stop))
    await put(writer, added(1, 2))
    await until(lambda: _kept(looks, TALLY.name, 2))
    async with work_on(runtime) as work:
        await note(work, n=3)
    await until(lambda: _kept(looks, TALLY.name, 3))
    stop.set()
    async with asyncio.timeout(10):
        await serving
    assert await looks.tally() == [1, 2, 3]


async def test_an_installation_without_consumers_is_drained_at_once(installation: Installation) -> None:
    await installation.person()
    assert await drain_consumers(installation.runtime, ()) == 0


async def test_what_holds_the_log_back_is_told_to_whoever_drains_it(
    dsn: str, runtime: Runtime, writer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "HELD_BACK_WITHIN", 0.2)
    async with writing(dsn) as slow:
        await slow.execute("begin; select pg_current_xact_id()")
        await put(writer, added(1))
        with pytest.raises(TimeoutError, match="holds the event log back"):
            await drain(runtime)


async def test_what_is_held_back_is_read_as_soon_as_it_may_be(
    dsn: str, runtime: Runtime, writer: Connection, looks: Looks, asked: list[Any]
) -> None:
    await begun(runtime)
    async with writing(dsn) as slow:
        await slow.execute("begin; select pg_current_xact_id()")
        await put(writer, added(1))
        # it looks once at its start, and nobody rings
        async with followed(runtime, rhythm=NEVER):
            await until(lambda: len(asked) > 2)
            assert await looks.tally() == []
            await slow.execute("rollback")
            await until(looks.tally, within=3)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The questions of followers, as they are asked."""
    noted: list[Any] = []
    real = following.due

    async def due(*given: Any, **named: Any) -> Any:
        noted.append(named)
        return await real(*given, **named)

    monkeypatch.setattr(following, "due", due)
    return noted


async def test_an_idle_follower_asks_once_a_second_at_most(runtime: Runtime, asked: list[Any]) -> None:
    listening = following.Ear(runtime, lambda: None)
    hearing = asyncio.create_task(listening.listen())
    await until(lambda: listening.listening)
    async with followed(runtime, rhythm=Rhythm(), ear=listening):
        began = time.monotonic()
        await until(lambda: len(asked) >= 4, within=15)
        # the first two come at once: at its start, and as its ear begins to hear
        assert time.monotonic() - began > 2
    hearing.cancel()
    await asyncio.wait([hearing])


async def test_a_consumer_leaves_nothing_behind_on_its_connection(dsn: str, writer: Connection) -> None:
    runtime = runtime_on(dsn, database_pool=1, database_pooler="transaction")
    await put(writer, added(1, 2))
    assert await drain(runtime) == 4
    connection = await runtime.database.pool.acquire()
    for setting in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
        assert await connection.fetchval(f"show {setting}") == "on"
    runtime.database.pool.release(connection)
    runtime.database.close()


async def test_a_consumers_own_statements_are_planned_as_usual(runtime: Runtime, writer: Connection) -> None:
    found = []

    async def looking(work: ConsumerWork, happened: Any) -> None:
        found.append(await work.connection.fetchval("show enable_seqscan"))

    await begun(runtime)
    await put(writer, added(1))
    looker = Consumer(name=TALLY.name, function=looking, events=TALLY.events)
    assert (await step(runtime, looker, 1)).events == 1
    assert found == ["on"]


def test_a_mark_says_at_once_what_is_wrong_with_it() -> None:
    with pytest.raises(TypeError, match="must be an async function"):
        consumer(log_trial.Added)(lambda work, happened: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match=":generation and :most"):

        @consumer(log_trial.Added, clear=run("delete from tenantry.tally where generation = :generation"))
        async def wrong(work: ConsumerWork, happened: list[Logged]) -> None: ...

    with pytest.raises(BadDomains, match="declared twice"):
        Registry([Domain(name="one", jobs=log_trial), Domain(name="two", jobs=log_trial)])
    assert {one.name for one in REGISTRY.consumers} == {"log_trial.tally", "log_trial.beside", "log_trial.late"}
    assert REGISTRY.consumed == {"log_trial.added", "log_trial.renamed"}
