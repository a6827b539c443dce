"""The database is away: the app says so in time, holds nothing, and heals by itself once it is back."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

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
    kinds = [
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
    assert {status_of(answer) for answer in answers} == {200, 202}
    return device


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
    assert {status_of(answer) for answer in await everything(device, times=2 * POOL)} == {200, 202}
    assert await stage.value(IDLE_IN_TRANSACTION) == 0
    assert len(stage.proxy.connections) <= POOL + 1  # and the bell's


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
    stage.proxy.reset()
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
    assert {status_of(answer) for answer in await everything(device, times=2 * POOL)} == {200, 202}
