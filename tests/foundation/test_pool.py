"""The pool: never more connections than allowed, nobody waits without end, nothing is lost on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tenantry.foundation.data.pool import DatabaseBusy, DatabaseUnavailable, Pool


class Line:
    """Stands in for a connection: the pool asks these questions only."""

    def __init__(self) -> None:
        self.closed = self.busy = False

    def is_closed(self) -> bool:
        return self.closed

    def is_in_transaction(self) -> bool:
        return self.busy

    def terminate(self) -> None:
        self.closed = True


class Exchange:
    """Makes lines, counts them, and fails when told to."""

    def __init__(self) -> None:
        self.made: list[Line] = []
        self.fails = False

    async def __call__(self) -> Any:
        await asyncio.sleep(0)
        if self.fails:
            raise OSError("nobody there")
        self.made.append(Line())
        return self.made[-1]

    @property
    def open(self) -> int:
        return sum(not line.closed for line in self.made)


@pytest.fixture
def exchange() -> Exchange:
    """Where lines come from."""
    return Exchange()


async def test_the_warmest_connection_is_handed_out_first(exchange: Exchange) -> None:
    pool = Pool(exchange, size=3)
    first, second = await pool.acquire(), await pool.acquire()
    pool.release(first)
    pool.release(second)
    assert await pool.acquire() is second
    assert len(exchange.made) == 2


async def test_there_are_never_more_than_allowed_however_many_ask(exchange: Exchange) -> None:
    pool, most = Pool(exchange, size=3), 0

    async def use() -> None:
        nonlocal most
        connection = await pool.acquire()
        most = max(most, pool.in_use)
        await asyncio.sleep(0)
        pool.release(connection)

    await asyncio.gather(*(use() for _ in range(200)))
    assert (most, exchange.open, pool.in_use) == (3, 3, 0)


async def test_whoever_waits_is_served_in_turn(exchange: Exchange) -> None:
    pool, served = Pool(exchange, size=1), []
    held = await pool.acquire()

    async def wait(number: int) -> None:
        connection = await pool.acquire()
        served.append(number)
        pool.release(connection)

    waiting = [asyncio.create_task(wait(number)) for number in range(5)]
    await asyncio.sleep(0)
    pool.release(held)
    await asyncio.gather(*waiting)
    assert served == [0, 1, 2, 3, 4]


async def test_waiting_ends_after_its_patience(exchange: Exchange) -> None:
    pool = Pool(exchange, size=1, patience=0.02)
    held = await pool.acquire()
    with pytest.raises(DatabaseBusy) as busy:
        await pool.acquire()
    assert busy.value.headers["retry-after"]
    pool.release(held)
    assert await pool.acquire() is held


async def test_a_queue_that_is_full_refuses_at_once(exchange: Exchange) -> None:
    pool = Pool(exchange, size=1, queue=2)
    held = await pool.acquire()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(DatabaseBusy):
        await asyncio.wait_for(pool.acquire(), 0.1)
    pool.release(held)
    pool.release(await waiting[0])
    await waiting[1]


@pytest.mark.parametrize("fault", ["closed", "busy"])
async def test_a_connection_that_died_or_is_in_the_middle_of_something_is_never_handed_on(
    exchange: Exchange, fault: str
) -> None:
    pool = Pool(exchange, size=1)
    spoilt: Any = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    setattr(spoilt, fault, True)
    pool.release(spoilt)
    assert await waiting is not spoilt
    assert (spoilt.closed, exchange.open, pool.in_use) == (True, 1, 1)


async def test_a_connection_that_dies_while_idle_is_replaced(exchange: Exchange) -> None:
    pool = Pool(exchange, size=1)
    first: Any = await pool.acquire()
    pool.release(first)
    first.closed = True
    assert await pool.acquire() is not first
    assert pool.in_use == 1


async def test_a_connection_that_cannot_be_made_gives_its_place_back(exchange: Exchange) -> None:
    pool = Pool(exchange, size=2, patience=0.5)
    exchange.fails = True
    outcomes = await asyncio.gather(*(pool.acquire() for _ in range(6)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {DatabaseUnavailable}
    exchange.fails = False
    assert pool.in_use == 0
    await pool.acquire()
    await pool.acquire()
    assert pool.in_use == 2


@pytest.mark.parametrize("moment", range(6))
async def test_whoever_is_cancelled_while_waiting_takes_nothing_along(exchange: Exchange, moment: int) -> None:
    pool = Pool(exchange, size=1)
    held = await pool.acquire()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(3)]
    for _ in range(moment):
        await asyncio.sleep(0)
    if moment % 2:
        # given and taken away in the same moment
        pool.release(held)
        waiting[0].cancel()
    else:
        waiting[0].cancel()
        pool.release(held)
    served = 0
    for task in waiting:
        try:
            pool.release(await asyncio.wait_for(task, 1))
            served += 1
        except asyncio.CancelledError:
            continue
    assert served >= 2
    assert pool.in_use == 0
    assert await asyncio.wait_for(pool.acquire(), 1)


async def test_a_place_given_to_somebody_who_left_goes_to_the_next_in_line(exchange: Exchange) -> None:
    pool = Pool(exchange, size=1)
    held = await pool.acquire()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    pool.discard(held)
    waiting[0].cancel()
    assert await asyncio.wait_for(waiting[1], 1)
    assert pool.in_use == 1


async def test_closing_lets_go_of_what_is_idle(exchange: Exchange) -> None:
    pool = Pool(exchange, size=2)
    connection = await pool.acquire()
    pool.release(connection)
    pool.close()
    assert exchange.open == 0
