"""Waking: one notification for many commits, and jobs that start without any."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import asyncpg
from queue_kit import HANDLERS, ask, cut_every_connection
from queue_trial import Seen

from patience import until
from tenantry.foundation.data.database import Database
from tenantry.foundation.jobs.bell import CHANNEL, Bell
from tenantry.foundation.jobs.ear import Ear
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import Pace, Worker
from tenantry.foundation.runtime import Runtime


async def test_a_thousand_rings_are_a_few_notifications(runtime: Runtime, dsn: str) -> None:
    heard: list[Any] = []
    listener = await asyncpg.connect(dsn)
    await listener.add_listener(CHANNEL, lambda *rest: heard.append(rest))
    for _ in range(10):
        for _ in range(100):
            runtime.bell.ring()
        await asyncio.sleep(0)
    await until(lambda: heard)
    await until(lambda: runtime.bell._ringing is None)
    assert 1 <= runtime.bell.rung <= 4
    await listener.close()


async def test_a_ring_during_a_notification_is_not_forgotten(runtime: Runtime) -> None:
    bell, notify = runtime.bell, runtime.bell._notify

    async def slow(whom: str) -> None:
        if bell.rung == 0:
            bell.ring()
        await notify(whom)

    with patch.object(bell, "_notify", slow):
        bell.ring()
        await until(lambda: bell.rung == 2)


async def test_a_bell_without_a_database_fails_nobody() -> None:
    class Nowhere(Database):
        tries = 0

        async def connect(self) -> Any:
            self.tries += 1
            raise ConnectionRefusedError

    nowhere = Nowhere("postgresql://nowhere", clock=None)  # type: ignore[arg-type]
    bell = Bell(nowhere)
    for _ in range(100):
        bell.ring()
        await asyncio.sleep(0.002)
    assert nowhere.tries == 1
    await bell.close()


async def test_a_job_starts_within_five_seconds_when_no_notification_arrives(runtime: Runtime, seen: Seen) -> None:
    stop = asyncio.Event()
    with patch.object(Ear, "listen", asyncio.Event().wait):
        worker = Worker(runtime, HANDLERS, pace=Pace(grace=1))
        working = asyncio.create_task(worker.run(stop))
        await asyncio.sleep(0.3)
        await ask(runtime, NewJob("queue_trial.nothing"))
        await until(lambda: seen.runs, within=5)
        assert not worker.ear.listening
        stop.set()
        await asyncio.wait_for(working, 5)


async def test_an_ear_that_has_gone_deaf_says_so_and_listens_again(runtime: Runtime, dsn: str) -> None:
    woken: list[int] = []
    ear = Ear(runtime, lambda: woken.append(1), beat=0.2, patience=0.2)
    listening = asyncio.create_task(ear.listen())
    await until(lambda: ear.listening)
    before = len(woken)
    with patch.object(ear._heard, "set", lambda: None):
        await until(lambda: not ear.listening)
    await until(lambda: ear.listening)
    assert len(woken) > before
    await cut_every_connection(dsn)
    await until(lambda: not ear.listening)
    await until(lambda: ear.listening)
    runtime.bell.ring()
    count = len(woken)
    await until(lambda: len(woken) > count)
    listening.cancel()
    await asyncio.wait([listening])
