"""Endpoints beside each other, and senders: nobody's slowness is another's, and whoever slept writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from receiving import Receiver, told
from sending_kit import (
    an_org,
    attempts,
    by_hand,
    delivery,
    lane,
    nothing_waits,
    put_endpoint,
    queue_events,
    receivers_of,
    waits,
)
from standardwebhooks import Webhook

from patience import until
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.ear import Ear
from tenantry.testing import Databases, Installation
from tenantry.webhooks.sending import drain, holding, send
from tenantry.webhooks.sending.holding import DOUBTFUL
from tenantry.webhooks.sending.pace import FIRST_WINDOW, SCHEDULE


@pytest.fixture(scope="module")
async def place(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Installation, list[Receiver]]]:
    folder = tmp_path_factory.mktemp("apart")
    async with databases.fresh() as url, receivers_of(url, folder, registry, 2) as found:
        yield found


@pytest.fixture
def house(place: tuple[Installation, list[Receiver]]) -> Installation:
    return place[0]


@pytest.fixture
async def receivers(place: tuple[Installation, list[Receiver]]) -> list[Receiver]:
    house, receivers = place
    await nothing_waits(house, receivers)
    return receivers


class Held:
    """A receiver that answers nobody until it is let."""

    def __init__(self, receiver: Receiver) -> None:
        self._let = asyncio.Event()
        self.receiver = receiver
        receiver.meanwhile = lambda _: self._let.wait()

    def let(self) -> None:
        self._let.set()
        self.receiver.meanwhile = None


@pytest.fixture
async def held(receivers: list[Receiver]) -> AsyncIterator[Held]:
    held = Held(receivers[0])
    yield held
    held.let()


@asynccontextmanager
async def sending(house: Installation) -> AsyncIterator[asyncio.Event]:
    """A sender as a worker has it; told to stop at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(send(house.runtime, Ear(house.runtime, lambda: None), stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


async def _came(receiver: Receiver, many: int) -> None:
    await until(lambda: _true(len(receiver.heard) >= many))


async def _true(fact: bool) -> bool:
    return fact


async def test_endpoints_that_never_answer_hold_up_no_other(
    house: Installation, receivers: list[Receiver], held: Held
) -> None:
    org = await an_org(house)
    for _ in range(30):
        await queue_events(house, await put_endpoint(house, org, receivers[0].url), 10)
    async with sending(house):
        await _came(receivers[0], 30 * FIRST_WINDOW)
        good = await put_endpoint(house, org, receivers[1].url)
        events = await queue_events(house, good, 200)
        await _came(receivers[1], 200)
        assert sorted(receivers[1].ids) == sorted(map(told, events))
        # none of the others has ended, and each has no more than its first window
        assert len(receivers[0].heard) == receivers[0].under_way == 30 * FIRST_WINDOW
        held.let()


async def test_endpoints_that_failed_last_share_a_part_of_the_room(
    house: Installation, receivers: list[Receiver], held: Held
) -> None:
    org = await an_org(house)
    for _ in range(DOUBTFUL + 20):
        put = await put_endpoint(house, org, receivers[0].url)
        await by_hand(house, "update tenantry.webhook_lanes set failures = 1 where endpoint_id = $1", put.id)
        await queue_events(house, put, 2)
    async with sending(house):
        await _came(receivers[0], DOUBTFUL)
        good = await put_endpoint(house, org, receivers[1].url)
        await queue_events(house, good, 5)
        await _came(receivers[1], 5)
        assert len(receivers[0].heard) == DOUBTFUL
        held.let()


async def test_whoever_slept_past_its_lease_writes_nothing_down(
    house: Installation, receivers: list[Receiver], held: Held
) -> None:
    put = await put_endpoint(house, await an_org(house), receivers[0].url)
    [event] = await queue_events(house, put)
    slept = asyncio.create_task(drain(house.runtime))
    await _came(receivers[0], 1)
    await by_hand(
        house,
        "update tenantry.webhook_lanes set held_until = tenantry.tick() - interval '1 second' where endpoint_id = $1",
        put.id,
    )
    receivers[0].meanwhile = None
    receivers[0].answer(500)
    assert await drain(house.runtime) == 1
    [wait] = await waits(house, put)
    held.let()
    await slept
    # its receiver said yes, but by then another one was in charge
    assert [one["status"] for one in await attempts(house, put)] == [500]
    assert await waits(house, put) == [pytest.approx(wait, abs=5)]
    assert (await delivery(house, event))["delivered_at"] is None
    assert receivers[0].ids == [told(event)] * 2


async def test_a_sender_that_is_told_to_stop_writes_down_what_still_flies(
    house: Installation, receivers: list[Receiver], held: Held
) -> None:
    put = await put_endpoint(house, await an_org(house), receivers[0].url)
    events = await queue_events(house, put, FIRST_WINDOW + 5)
    async with sending(house) as stop:
        await _came(receivers[0], FIRST_WINDOW)
        stop.set()
        held.let()
    assert len(receivers[0].heard) == FIRST_WINDOW
    assert len(await attempts(house, put)) == FIRST_WINDOW
    stands = await lane(house, put)
    assert (stands["holder"], stands["held_until"]) == (None, None)
    assert stands["due_at"] is not None
    assert await drain(house.runtime) == 5
    assert sorted(receivers[0].ids) == sorted(map(told, events))


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("update tenantry.webhook_endpoints set disabled_at = tenantry.now(), disabled_why = 'asked' where id = $1", 3),
        ("update tenantry.webhook_endpoints set deleted_at = tenantry.now() where id = $1", 3),
    ],
    ids=["disabled", "deleted"],
)
async def test_what_flies_when_an_endpoint_ends_is_written_down_and_nothing_follows(
    house: Installation, receivers: list[Receiver], held: Held, change: str, left: int
) -> None:
    put = await put_endpoint(house, await an_org(house), receivers[0].url)
    await queue_events(house, put, FIRST_WINDOW + left)
    async with sending(house):
        await _came(receivers[0], FIRST_WINDOW)
        await by_hand(house, change, put.id)
        held.let()

        async def let_go() -> bool:
            stands = await lane(house, put)
            return stands["holder"] is None and stands["due_at"] is None

        await until(let_go)
    assert len(receivers[0].heard) == FIRST_WINDOW
    assert len(await attempts(house, put)) == FIRST_WINDOW
    assert len(await waits(house, put)) == left


async def test_an_endpoint_that_changes_while_it_is_sent_to_is_sent_what_it_is_now(
    house: Installation, receivers: list[Receiver], held: Held
) -> None:
    put = await put_endpoint(house, await an_org(house), receivers[0].url, headers={"X-Old": "1"})
    await queue_events(house, put, FIRST_WINDOW)
    async with sending(house):
        await _came(receivers[0], FIRST_WINDOW)
        await by_hand(
            house,
            """update tenantry.webhook_endpoints set url = $2, sealed_headers = null, version = version + 1
                where id = $1""",
            put.id, receivers[1].url,
        )  # fmt: skip
        await queue_events(house, put, 3)
        held.let()
        await _came(receivers[1], 3)
    assert len(receivers[0].heard) == FIRST_WINDOW
    for heard in receivers[1].heard:
        assert "X-Old" not in heard.headers
        assert Webhook(put.shown).verify(heard.body, heard.headers)


async def test_what_comes_while_a_lane_is_let_go_is_not_forgotten(
    house: Installation, receivers: list[Receiver]
) -> None:
    put = await put_endpoint(house, await an_org(house), receivers[0].url)
    expected = 0
    async with sending(house):
        for _ in range(25):
            await queue_events(house, put, 2)
            expected += 2
            await asyncio.sleep(0.01)
        await _came(receivers[0], expected)
    assert len(set(receivers[0].ids)) == len(receivers[0].ids) == expected


async def test_a_database_that_is_away_for_a_moment_loses_nothing(
    house: Installation, receivers: list[Receiver], held: Held
) -> None:
    put = await put_endpoint(house, await an_org(house), receivers[0].url)
    await queue_events(house, put, FIRST_WINDOW)
    async with sending(house):
        await _came(receivers[0], FIRST_WINDOW)
        await house.rows(
            """select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid() and usename = current_user"""
        )
        held.let()

        async def written() -> bool:
            return len(await attempts(house, put)) == FIRST_WINDOW and not await waits(house, put)

        await until(written)
    assert len(receivers[0].heard) == FIRST_WINDOW


async def test_an_endpoint_whose_secret_does_not_open_is_left_alone_and_holds_up_no_other(
    house: Installation, receivers: list[Receiver]
) -> None:
    org = await an_org(house)
    spoilt, good = [await put_endpoint(house, org, one.url) for one in receivers]
    await by_hand(
        house, "update tenantry.webhook_secrets set sealed_secret = '\\x0104746573740000' where endpoint_id = $1",
        spoilt.id,
    )  # fmt: skip
    for put in (spoilt, good):
        await queue_events(house, put)
    await drain(house.runtime)
    assert not receivers[0].heard
    assert len(receivers[1].heard) == 1
    assert (await lane(house, spoilt))["paused_until"] is not None
    assert await drain(house.runtime) == 0


async def test_one_that_is_asked_for_anew_while_its_last_attempt_flies_is_not_given_up(
    house: Installation, receivers: list[Receiver], held: Held
) -> None:
    put = await put_endpoint(house, await an_org(house), receivers[0].url)
    [event] = await queue_events(house, put)
    last = len(SCHEDULE) - 1
    await by_hand(house, "update tenantry.webhook_due set tries = $2 where endpoint_id = $1", put.id, last)
    receivers[0].answer(500)
    flying = asyncio.create_task(drain(house.runtime))
    await _came(receivers[0], 1)
    await by_hand(
        house, "update tenantry.webhook_due set tries = 0, due_at = tenantry.now() where endpoint_id = $1", put.id
    )
    held.let()
    await flying
    assert receivers[0].ids == [told(event)] * 2
    seen = await delivery(house, event)
    assert (seen["attempts"], seen["failed_at"]) == (2, None)
    assert seen["delivered_at"] is not None


async def test_more_endpoints_than_a_turn_has_room_for_take_turns(
    house: Installation, receivers: list[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "A_TURN", 2)
    org = await an_org(house)
    whose = {}
    for _ in range(6):
        put = await put_endpoint(house, org, receivers[0].url)
        whose |= dict.fromkeys(map(told, await queue_events(house, put, 20)), put.id)
    assert await drain(house.runtime) == len(whose)
    served = [whose[id] for id in receivers[0].ids]
    # after two rounds and what may fly meanwhile nobody has been left out
    assert len(set(served[:24])) == 6
