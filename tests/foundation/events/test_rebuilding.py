"""A consumer's rows are made anew beside those that are read, and nobody who reads sees anything of both."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from log_kit import BESIDE, CONSUMERS, TALLY, Looks, added, begun, put, work_on, writing
from log_trial import Behaviour
from test_consumers import QUICK, drain, followed

from patience import until
from tenantry.foundation.events import steering, stepping
from tenantry.foundation.events.steering import cancel_rebuild, rebuild
from tenantry.foundation.events.stepping import step
from tenantry.foundation.problems import Problem
from tenantry.foundation.runtime import Runtime

Connection = asyncpg.Connection
SHOWN = """
    select generation, count(*) as kept, sum(n) as total
      from tenantry.tally
     where consumer = 'log_trial.tally' and generation = (select tenantry.generation('log_trial.tally'))
     group by generation
"""


async def ordered(runtime: Runtime, name: str = TALLY.name) -> None:
    async with work_on(runtime) as work:
        await rebuild(work, CONSUMERS.values(), name)


async def test_readers_see_the_old_or_the_new_and_never_less(
    dsn: str, runtime: Runtime, another: Runtime, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepping, "CLEARED_AT_ONCE", 50)
    writing_on, seen = True, []

    async def write() -> None:
        async with writing(dsn) as connection:
            while writing_on:
                # each transaction adds nothing in sum, so that half of one would show
                await put(connection, added(3, -1, -2))

    async def look() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute("set role tenantry_app")
        while writing_on:
            seen.extend(await connection.fetch(SHOWN))
        await connection.close()

    async with writing(dsn) as connection:
        for _ in range(100):
            await put(connection, added(3, -1, -2))
    await drain(runtime)
    tasks = [asyncio.create_task(write()), asyncio.create_task(look())]
    async with followed(runtime, rhythm=QUICK), followed(another, rhythm=QUICK):
        await until(lambda: seen)
        for generation in (2, 3):
            await ordered(runtime)
            await until(lambda generation=generation: _swapped(looks, generation), within=20)
            await until(lambda generation=generation: any(row["generation"] == generation for row in seen))
        writing_on = False
        await asyncio.gather(*tasks)
    await drain(runtime)
    assert {row["total"] for row in seen} == {0}
    assert {row["generation"] for row in seen} == {1, 2, 3}
    # never back in time, neither in a generation nor at a swap
    kept = [(row["generation"], row["kept"]) for row in seen]
    assert kept == sorted(kept)
    assert [one[1] for one in kept] == sorted(one[1] for one in kept)
    [written] = await looks("select count(*) from tenantry.events where kind = 'log_trial.added'")
    assert len(await looks.tally(generation=3)) == written["count"]


async def _swapped(looks: Looks, generation: int) -> bool:
    """The new one is read, and of the old one nothing is left."""
    rows = await looks("select generation, state from tenantry.consumers where name = 'log_trial.tally'")
    left = await looks(
        "select 1 from tenantry.tally where consumer = 'log_trial.tally' and generation < $1", generation
    )
    return [tuple(row) for row in rows] == [(generation, "live")] and not left


async def test_a_rebuild_takes_over_although_the_log_has_lost_its_end(
    runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    await put(writer, added(1))
    await drain(runtime)
    # what a purge or the end of a month takes away was read by the living one, and never will be by the next
    owner = await asyncpg.connect(looks.dsn)
    await owner.execute("alter table tenantry.events no force row level security; delete from tenantry.events")
    await owner.close()
    await ordered(runtime)
    assert (await step(runtime, TALLY, 2)).how == "done"
    await step(runtime, TALLY, 2, closing=True)
    assert (await looks.place(generation=2))["state"] == "live"


async def test_a_rebuild_does_not_take_over_from_one_that_is_ahead(
    runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    await put(writer, added(*range(50)))
    for n in range(60):
        await put(writer, added(n))
    await drain(runtime)
    await ordered(runtime)
    taken = await step(runtime, TALLY, 2, closing=True)
    assert taken.more
    assert (await looks.place(generation=2))["state"] == "building"


async def test_the_living_one_is_held_while_the_next_takes_over(
    runtime: Runtime, another: Runtime, writer: Connection, looks: Looks, behaviour: object
) -> None:
    await begun(runtime)
    await put(writer, added(1))
    await drain(runtime)
    await ordered(runtime)
    behaviour.hold = asyncio.Event()  # type: ignore[attr-defined]
    behaviour.entered.clear()  # type: ignore[attr-defined]
    closing = asyncio.create_task(step(runtime, TALLY, 2, closing=True))
    await behaviour.entered.wait()  # type: ignore[attr-defined]
    await put(writer, added(2))
    assert (await step(another, TALLY, 1)).how == "idle"
    behaviour.hold.set()  # type: ignore[attr-defined]
    await closing
    assert (await looks.place(generation=1))["state"] == "retiring"
    assert (await looks.place(generation=2))["state"] == "live"
    behaviour.hold = None  # type: ignore[attr-defined]
    await drain(runtime)
    assert await looks.tally(generation=2) == [1, 2]
    assert await looks.tally(generation=1) == []


async def test_only_what_keeps_generations_is_rebuilt_and_one_at_a_time(runtime: Runtime, writer: Connection) -> None:
    with pytest.raises(Problem, match="not begun"):
        await ordered(runtime)
    await begun(runtime)
    with pytest.raises(Problem, match="no rows in generations"):
        await ordered(runtime, BESIDE.name)
    with pytest.raises(Problem, match="No consumer"):
        await ordered(runtime, "log_trial.nobody")
    await ordered(runtime)
    with pytest.raises(Problem, match="being rebuilt already"):
        await ordered(runtime)


async def test_a_rebuild_can_be_given_up(runtime: Runtime, writer: Connection, looks: Looks) -> None:
    await put(writer, added(*range(5)))
    await drain(runtime)
    await ordered(runtime)
    await step(runtime, TALLY, 2)
    assert await looks.tally(generation=2) == list(range(5))
    async with work_on(runtime) as work:
        await cancel_rebuild(work, TALLY.name)
    await drain(runtime)
    assert await looks.tally(generation=2) == []
    assert await looks.tally() == list(range(5))
    assert await looks.place(generation=2) is None
    with pytest.raises(Problem, match="not being rebuilt"):
        async with work_on(runtime) as work:
            await cancel_rebuild(work, TALLY.name)


async def test_the_application_reads_which_generation_is_shown_and_nothing_else(
    runtime: Runtime, writer: Connection
) -> None:
    await begun(runtime)
    await ordered(runtime)
    await writer.execute("set role tenantry_app")
    assert await writer.fetchval("select tenantry.generation('log_trial.tally')") == 1
    assert await writer.fetchval("select tenantry.generation('log_trial.nobody')") is None
    assert await writer.fetchval("select count(generation) from tenantry.consumers where state = 'building'") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await writer.fetch("select error from tenantry.consumers")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await writer.execute("update tenantry.consumers set generation = 2")


async def test_what_is_passed_over_is_never_of_a_generation_that_is_gone(
    runtime: Runtime, writer: Connection, looks: Looks, behaviour: Behaviour
) -> None:
    await begun(runtime)
    behaviour.poison = {1}
    await put(writer, added(1))
    assert (await step(runtime, TALLY, 1)).how == "failed"
    behaviour.poison = {2}
    await ordered(runtime)
    await step(runtime, TALLY, 2, closing=True)
    assert (await looks.place(generation=1))["state"] == "retiring"
    await put(writer, added(2))
    assert (await step(runtime, TALLY, 2)).how == "failed"
    async with work_on(runtime) as work:
        assert (await steering.skip(work, TALLY.name)).generation == 2


async def test_a_consumer_that_was_held_is_held_when_its_next_generation_has_taken_over(
    runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    await begun(runtime)
    async with work_on(runtime) as work:
        await steering.pause(work, TALLY.name)
    await ordered(runtime)
    await step(runtime, TALLY, 2, closing=True)
    assert (await looks.place(generation=2))["state"] == "live"
    await put(writer, added(1))
    assert (await step(runtime, TALLY, 2)).how == "idle"
