"""The database is away: the app says so in time, holds nothing, and heals by itself once it is back."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from tenantry.foundation.data.clock import Clock
from tenantry.foundation.data.database import Database, system_context
from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .app import Stage, asked, eventually, new_address, readiness, status_of, until_ready
from .conftest import Mortal
from .proxy import PostgresProxy

POOL = 4
NOTICED_WITHIN, ANSWERED_WITHIN, HEALED_WITHIN = 5.0, 11.0, 10.0
IDLE_IN_TRANSACTION = """
    select count(*) from pg_stat_activity
     where datname = current_database() and state like 'idle in transaction%' and pid <> pg_backend_pid()
"""


def partitioned(proxy: PostgresProxy) -> None:
    """Every packet is dropped."""
    proxy.toxics.partition()


def stalled(proxy: PostgresProxy) -> None:
    """Requests arrive, and their answers are swallowed."""
    proxy.toxics.stall = True


def refused(proxy: PostgresProxy) -> None:
    """Open connections are reset, and new ones refused."""
    proxy.toxics.refuse = True
    proxy.reset()


async def everything(device: Client, *, times: int) -> list[Response | None]:
    """Requests of every kind at the same moment: with and without a session, reading and writing."""
    credentials = {"email": device.email, "password": PASSWORD}
    newcomer = {"email": new_address(), "password": PASSWORD, "name": "Ada Lovelace"}
    kinds: list[Callable[[], Awaitable[Response]]] = [
        lambda: device.get("/v1/users/me"),
        lambda: device.patch("/v1/users/me", {"name": "Ada King"}),
        lambda: device.post("/v1/auth/login", credentials),
        lambda: device.post("/v1/auth/register", newcomer),
    ]
    return list(await asyncio.gather(*(asked(kind()) for kind in kinds for _ in range(times))))


async def device_of(stage: Stage) -> Client:
    """A running app with a small pool, all of its connections open, and a person's device."""
    stage.app.environment["TENANTRY_DATABASE_POOL"] = str(POOL)
    person = await stage.behind.person(new_address())
    await stage.start()
    device = stage.client.signed_in(person.tokens)
    answers = await everything(device, times=POOL)
    assert_served(answers)
    return device


def assert_served(answers: list[Response | None]) -> None:
    """Each was done; a place that the pool had lost would be missed, because there are more of them than places."""
    assert not [answer for answer in answers if status_of(answer) not in (200, 202)]


def assert_says_unavailable(answer: Response | None) -> None:
    """It is a problem document that asks to come back later."""
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json"), answer
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.faults
@pytest.mark.parametrize("fault", [partitioned, stalled, refused])
async def test_an_app_without_its_database_says_so_in_time_and_heals(
    stage: Stage, fault: Callable[[PostgresProxy], None]
) -> None:
    device = await device_of(stage)
    fault(stage.proxy)
    went_away = time.monotonic()
    requests = asyncio.create_task(everything(device, times=3))

    async def noticed() -> bool:
        return await readiness(stage.client) == 503

    assert (await asyncio.wait_for(stage.client.get("/livez"), 1)).status == 200
    await eventually(noticed, NOTICED_WITHIN)
    print(f"{fault.__name__}: /readyz says so after {time.monotonic() - went_away:.1f} s", end=", ")
    answers = await requests
    slowest = time.monotonic() - went_away
    print(f"requests are answered after {slowest:.1f} s", end=", ")
    for answer in answers:
        assert_says_unavailable(answer)
    assert slowest < ANSWERED_WITHIN
    assert (await asyncio.wait_for(stage.client.get("/livez"), 1)).status == 200

    stage.proxy.toxics.heal()
    print(f"ready again {await until_ready(stage.client, HEALED_WITHIN):.1f} s after the fault")
    assert_served(await everything(device, times=POOL))
    assert await stage.value(IDLE_IN_TRANSACTION) == 0
    assert len(stage.proxy.connections) <= POOL + 1  # and the bell's


@pytest.mark.faults
@pytest.mark.parametrize("fault", [stalled, refused])
async def test_an_app_that_starts_before_its_database_waits_for_it(
    stage: Stage, fault: Callable[[PostgresProxy], None]
) -> None:
    fault(stage.proxy)
    stage.app.start()

    async def alive() -> bool:
        return status_of(await asked(stage.client.get("/livez"))) == 200

    await eventually(alive, ANSWERED_WITHIN)
    assert await readiness(stage.client) == 503
    stage.proxy.toxics.heal()
    await until_ready(stage.client, HEALED_WITHIN)


@pytest.mark.faults
async def test_reading_goes_on_over_a_restart_that_happened_while_idle(mortal_stage: Stage, mortal: Mortal) -> None:
    device = await device_of(mortal_stage)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        await mortal.restarted(number)
        answers = await asyncio.gather(*(asked(device.get("/v1/users/me")) for _ in range(2 * POOL)))
        assert [status_of(answer) for answer in answers] == [200] * 2 * POOL, number


@pytest.mark.faults
async def test_reading_goes_on_over_connections_that_a_firewall_forgot(stage: Stage) -> None:
    device = await device_of(stage)
    stage.proxy.forget()
    assert status_of(await asked(device.get("/v1/users/me"))) == 200
    # the first one found out for all of them
    answers = await asyncio.gather(*(asked(device.get("/v1/users/me")) for _ in range(2 * POOL)))
    assert [status_of(answer) for answer in answers] == [200] * 2 * POOL


@pytest.mark.faults
async def test_a_slow_database_is_answered_for_or_refused_in_time_and_nothing_piles_up(stage: Stage) -> None:
    device = await device_of(stage)
    for latency in (0.05, 0.2, 1.0):
        stage.proxy.toxics.latency = latency
        started = time.monotonic()
        answers = await asyncio.gather(*(asked(device.get("/v1/users/me")) for _ in range(8 * POOL)))
        statuses = [status_of(answer) for answer in answers]
        print(f"{latency} s a message: {statuses.count(200)} of {len(statuses)} served")
        assert set(statuses) <= {200, 503}
        assert 200 in statuses
        assert time.monotonic() - started < ANSWERED_WITHIN
    stage.proxy.toxics.heal()
    assert_served(await everything(device, times=POOL))


async def test_a_connection_whose_opening_was_never_answered_is_nobodys_again(stage: Stage) -> None:
    database = Database(stage.through, clock=Clock(), size=1)
    async with database.transaction(system_context()) as connection:
        first = connection.get_server_pid()
    stage.proxy.toxics.latency = 0.2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(database.begin(system_context()), 0.05)
    stage.proxy.toxics.heal()
    async with database.transaction(system_context()) as connection:
        assert connection.get_server_pid() != first
    assert database.pool.in_use == 0
    database.close()
