"""An adversary for readers of the log: many writers whose transactions overlap as unluckily as they can.

`python -m foundation.events.adversary DSN EVENTS [SEED]` in the folder `tests`, on a migrated database of one's own; or
the test of the same subject with TENANTRY_EVENTS_WRITTEN set. One reader goes by the horizon, another by the numbers.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from typing import Any

import msgspec
from log_kit import runtime_on, work_on, writing

from tenantry.foundation.events.log import BEGINNING, Position, read_log
from tenantry.foundation.runtime import Runtime

WRITERS = 12
INSERT = """
    insert into tenantry.events (public_id, kind, version, payload, actor, request_id)
    select gen_random_uuid(), 'log_trial.added', 1, '{"n": 1}', '{}', 'adversary' from generate_series(1, $1)
    returning id
"""


class Counts(msgspec.Struct):
    """What came of it; the last two are of the reader who goes by the numbers."""

    committed: int
    rolled_back: int
    read: int
    skipped: int
    doubled: int
    never_committed: int
    out_of_order: int
    transactions_split: int
    seconds: float
    naive_read: int
    naive_skipped: int

    @property
    def sentence(self) -> str:
        """For whoever ran it."""
        return (
            f"{self.committed:,} events committed, {self.rolled_back:,} rolled back: {self.skipped} skipped,"
            f" {self.doubled} doubled, {self.never_committed} never committed, {self.out_of_order} out of order,"
            f" {self.transactions_split} transactions split; going by numbers {self.naive_skipped:,} were skipped;"
            f" {self.seconds:.0f} s"
        )


class Adversary:
    """Writes so many events in transactions of every kind, and knows which of them were committed."""

    def __init__(self, dsn: str, events: int, seed: int) -> None:
        self._dsn = dsn
        self._random = random.Random(seed)
        self._left = events
        self._size = max(4, min(200, events // 2000))
        self.committed: set[int] = set()
        self.rolled_back = 0
        self.done = False

    async def write(self) -> None:
        """All of it."""
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(self._writer(number))
        self.done = True

    async def _writer(self, number: int) -> None:
        async with writing(self._dsn) as connection:
            while self._left > 0:
                size = min(self._left, self._random.randint(1, 2 * self._size))
                self._left -= size
                kept, lost = await self._transaction(connection, size, slow=number == 0)
                self.committed |= kept
                self.rolled_back += lost
                self._left += lost

    async def _transaction(self, connection: Any, size: int, *, slow: bool) -> tuple[set[int], int]:
        """One transaction of a random shape; the numbers that it committed, and how many it took back."""
        how = self._random.choice(("plain", "plain", "early", "nested", "rolled back", "in pieces"))
        await connection.execute("begin")
        if how == "early":
            # a transaction that is old by the time that it writes
            await connection.execute("select pg_current_xact_id()")
            await self._linger(slow=slow)
        kept, lost = await (self._nested if how == "nested" else self._flat)(
            connection, size, pieces=how == "in pieces"
        )
        await self._linger(slow=slow)
        if how == "rolled back":
            await connection.execute("rollback")
            return set(), size
        await connection.execute("commit")
        return kept, lost

    async def _flat(self, connection: Any, size: int, *, pieces: bool) -> tuple[set[int], int]:
        kept = await self._insert(connection, size // 2 if pieces else size)
        if pieces:
            await self._linger(slow=False)
            kept |= await self._insert(connection, size - size // 2)
        return kept, 0

    async def _nested(self, connection: Any, size: int, **_: Any) -> tuple[set[int], int]:
        """Subtransactions, which have numbers of their own: the first is taken back, the second stays."""
        half = size // 2
        await connection.execute("savepoint one")
        await self._insert(connection, half)
        await connection.execute("rollback to savepoint one; savepoint two")
        kept = await self._insert(connection, size - half)
        await self._linger(slow=False)
        await connection.execute("release savepoint two")
        return kept, half

    async def _insert(self, connection: Any, size: int) -> set[int]:
        return {row["id"] for row in await connection.fetch(INSERT, size)}

    async def _linger(self, *, slow: bool) -> None:
        if slow or self._random.random() < 0.3:
            await asyncio.sleep(self._random.uniform(0.05, 0.4) if slow else self._random.expovariate(200))


class Reader:
    """Reads by the horizon, as consumers do, and remembers everything."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.read: Counter[int] = Counter()
        self.out_of_order = 0
        self.pages: Counter[tuple[int, int]] = Counter()

    async def follow(self, adversary: Adversary) -> None:
        """Read until the adversary is done and nothing is left."""
        after, last = BEGINNING, BEGINNING
        while True:
            finished = adversary.done
            async with work_on(self._runtime, reading=True) as work:
                page = await read_log(work, after, 1000)
            after = page.reached
            last = self._note(page.events, last)
            if finished and not page.more:
                return
            if not page.more:
                await asyncio.sleep(0.001)

    def _note(self, events: Any, last: Position) -> Position:
        for one in events:
            self.out_of_order += one.position <= last
            last = one.position
            self.read[one.position.id] += 1
        self.pages.update({(one.position.epoch, one.position.tx) for one in events})
        return last


async def follow_numbers(dsn: str, adversary: Adversary, read: set[int]) -> None:
    """Read by the numbers, as many an outbox does."""
    last = 0
    async with writing(dsn) as connection:
        while True:
            finished = adversary.done
            found = await connection.fetch("select id from tenantry.events where id > $1 order by id limit 5000", last)
            read.update(row["id"] for row in found)
            last = found[-1]["id"] if found else last
            if finished and not found:
                return
            await asyncio.sleep(0.002)


async def hunt(dsn: str, events: int, seed: int = 1) -> Counts:
    """Let the adversary write, both readers read, and count."""
    adversary, began = Adversary(dsn, events, seed), time.monotonic()
    runtime, naive = runtime_on(dsn), set[int]()
    reader = Reader(runtime)
    async with asyncio.TaskGroup() as group:
        group.create_task(adversary.write())
        group.create_task(reader.follow(adversary))
        group.create_task(follow_numbers(dsn, adversary, naive))
    runtime.database.close()
    read = set(reader.read)
    return Counts(
        committed=len(adversary.committed),
        rolled_back=adversary.rolled_back,
        read=len(read),
        skipped=len(adversary.committed - read),
        doubled=sum(reader.read.values()) - len(read),
        never_committed=len(read - adversary.committed),
        out_of_order=reader.out_of_order,
        transactions_split=sum(pages > 1 for pages in reader.pages.values()),
        seconds=time.monotonic() - began,
        naive_read=len(naive),
        naive_skipped=len(adversary.committed - naive),
    )


if __name__ == "__main__":
    print(asyncio.run(hunt(sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["1"])[0]))).sentence)
