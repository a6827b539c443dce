"""`log`: events appended, a commit each and a hundred a commit, against a bare row; read again, and consumed."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from bench.bundle import as_house
from bench.product import readers
from bench.product.actions import say
from bench.product.house import equipped, house_call, prepare
from bench.report import Outcome, compared, documents, idle_core
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import POOL
from bench.turns import Hall, Step, take_turns
from tenantry.foundation.events.consumer import collect_consumers
from tenantry.foundation.events.following import Follower
from tenantry.foundation.events.log import BEGINNING, read_log
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

BARE, ONE, HUNDRED = "bare row", "event a commit", "hundred a commit"
READ, CONSUMED = "read_log", "consumer"
MANY, PAGE = 100, 500
INSERT = "insert into bench.seen (reader, number) values ('nobody', $1)"
WRITING = {
    "rows or events/s": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "client CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
    "commit p99 ms": lambda one: one.latency_ms["p99"],
}
READING = {name: WRITING[name] for name in list(WRITING)[1:4]}


def run(stage: Stage) -> Outcome:
    """Events a second into the log, and out of it again."""
    outcome = Outcome("log", f"events in and out, {POOL} connections, one process")
    target, hall = Tenantry(stage.postgres, stage.cores), Hall(stage.postgres, stage.cores)
    target.install()
    target.migrate()
    seconds, rounds = stage.options.seconds, stage.options.rounds
    with hall.runner:
        log = hall.run(Log.opened(target))
        written = take_turns(
            {
                BARE: lambda: hall.measure(log.rows, seconds),
                ONE: lambda: hall.measure(log.steps(1), seconds),
                HUNDRED: lambda: hall.measure(log.steps(MANY), seconds / 5, each=MANY),
            },
            rounds,
        )
        read = take_turns(
            {
                READ: lambda: hall.weigh(lambda took: log.read(seconds / 2)),
                CONSUMED: lambda: hall.weigh(lambda took: log.consume(seconds / 2)),
            },
            rounds,
        )
        hall.run(log.runtime.stop())
    outcome.document = {**stage.facts([target]), "rounds": documents(written | read)}
    outcome.tables += [compared(written, ONE, WRITING), *idle_core(written)]
    outcome.tables += [compared(read, CONSUMED, {"events/s": lambda one: one.rate, **READING}), *idle_core(read)]
    return outcome


class Log:
    """An installation's log, written to and read by this process."""

    def __init__(self, runtime: Runtime, rows: list[Step], numbers: Iterator[int]) -> None:
        self.runtime, self.rows, self._numbers = runtime, rows, numbers
        self._readings = itertools.count(1)

    @classmethod
    async def opened(cls, target: Tenantry) -> Log:
        """A log with nothing of ours in it, and the connections that bare rows go through."""
        await prepare(target.address.url)
        runtime, _ = equipped(target.env | {"TENANTRY_DATABASE_POOL": str(POOL)})
        numbers = itertools.count(1)
        connections = [await as_house(target.address.url) for _ in range(POOL)]

        def bare(connection: object) -> Step:
            async def step() -> None:
                await connection.execute(INSERT, next(numbers))  # type: ignore[attr-defined]

            return step

        return cls(runtime, [bare(connection) for connection in connections], numbers)

    def steps(self, count: int) -> list[Step]:
        """Commits of so many events, one for each connection."""
        call = house_call(self.runtime)

        async def step() -> None:
            first = next(self._numbers) * MANY
            async with SystemWork(call, reason="a bench says something") as work:
                await say(work, numbers=range(first, first + count))

        return [step] * POOL

    async def read(self, seconds: float) -> int:
        """Read the log from its beginning, a page a transaction, for so long or to its end; how many events."""
        end, place, found = time.monotonic() + seconds, BEGINNING, 0
        while time.monotonic() < end:
            async with SystemWork(house_call(self.runtime), reason="a bench reads the log", reading=True) as work:
                page = await read_log(work, place, PAGE)
            place, found = page.reached, found + len(page.events)
            if not page.more:
                break
        return found

    async def consume(self, seconds: float) -> int:
        """Have a new consumer read from the beginning for so long; how many rows it has committed."""
        (kept,) = collect_consumers(readers)
        reader = msgspec.structs.replace(kept, name=f"bench.reader_{next(self._readings)}")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await Follower(self.runtime, [reader]).run()
        connection = await as_house(self.runtime.database.url)
        try:
            return int(await connection.fetchval("select count(*) from bench.seen where reader = $1", reader.name))
        finally:
            await connection.close()
