"""Told to stop: what is in flight is finished, what is new is refused, and nobody holds the process up."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Response
from tenantry.testing.installation import PASSWORD

from .app import (
    Stage,
    asked,
    eventually,
    new_address,
    of_a_request,
    port_is_free,
    staged,
    status_of,
)
from .house import processes

GONE_WITHIN = 30.0
SILENT = b""
HALF_A_HEAD = b"POST /v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-"
HALF_A_BODY = HALF_A_HEAD + b"Type: application/json\r\nContent-Length: 100\r\n\r\n{"
SERVED_BEFORE = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def drained(stage: Stage, *, logins: int = 4) -> tuple[list[Response | None], float, int]:
    """Stop an app with logins in flight: their answers, the seconds that took, and its exit code."""
    people = [await stage.behind.person(new_address()) for _ in range(logins)]
    port = int(stage.client.origin.rpartition(":")[2])
    stage.proxy.toxics.latency = 0.1
    async with stage.proxy.window(watch=of_a_request) as window:
        bodies = [{"email": person.email, "password": PASSWORD} for person in people]
        asking = [asyncio.create_task(asked(stage.client.post("/v1/auth/login", body))) for body in bodies]

        async def all_began() -> bool:
            return len({unit.connection for unit in window.units}) == logins

        async def deaf() -> bool:
            return port_is_free(port)

        await eventually(all_began, within=5)
        stage.app.tell(signal.SIGTERM)
        told_at = time.monotonic()
        await eventually(deaf, within=0.5)
        assert not any(task.done() for task in asking)
        answers = await asyncio.gather(*asking)
        code = await stage.app.ended(GONE_WITHIN)
    return answers, time.monotonic() - told_at, code


@asynccontextmanager
async def hanging(stage: Stage, *words: bytes) -> AsyncIterator[None]:
    """Clients that said so much and then nothing more."""
    port = int(stage.client.origin.rpartition(":")[2])
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in words]
    try:
        for (reader, writer), said in zip(streams, words, strict=True):
            writer.write(said)
            await writer.drain()
            if said is SERVED_BEFORE:
                await reader.readuntil(b"alive")
        yield
    finally:
        for _, writer in streams:
            writer.close()


async def test_a_stopped_app_answers_what_is_in_flight_and_hears_nothing_new(stage: Stage) -> None:
    await stage.start()
    answers, _, code = await drained(stage)
    assert [status_of(answer) for answer in answers] == [200] * 4
    assert code == 0


@pytest.mark.faults
@pytest.mark.parametrize("workers", [1, 2])
async def test_clients_that_hang_neither_cost_others_their_answer_nor_hold_up_the_end(
    databases: Databases, registry: Registry, tmp_path: Path, workers: int
) -> None:
    async with staged(databases, registry, tmp_path, workers=workers) as stage:
        await stage.start()
        async with hanging(stage, SILENT, SILENT, HALF_A_HEAD, HALF_A_BODY, SERVED_BEFORE):
            answers, seconds, code = await drained(stage)
    print(f"{workers} workers: gone {seconds:.1f} s after they were told")
    assert [status_of(answer) for answer in answers] == [200] * 4
    assert code == 0
    assert not [line for line in stage.app.lines() if "Traceback" in line]


@pytest.mark.faults
async def test_a_connection_that_is_kept_alive_does_not_hold_up_the_end(stage: Stage) -> None:
    await stage.start()
    async with hanging(stage, SERVED_BEFORE, SERVED_BEFORE):
        _, seconds, code = await drained(stage)
    assert (code, seconds < 5) == (0, True)


@pytest.mark.faults
async def test_a_killed_parent_leaves_no_web_process_at_the_port(stage: Stage) -> None:
    await stage.start()
    port = int(stage.client.origin.rpartition(":")[2])
    async with hanging(stage, SILENT, HALF_A_BODY):
        stage.app.tell(signal.SIGKILL)

        async def freed() -> bool:
            return port_is_free(port)

        await eventually(freed, within=2)


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_app_that_is_told_to_stop_while_it_starts_ends_at_once(stage: Stage, number: signal.Signals) -> None:
    stage.app.start()

    async def forked() -> bool:
        return stage.app.pid in {parent for parent, _ in processes().values()}

    await eventually(forked, within=20)
    os.killpg(stage.app.pid, number)
    assert await stage.app.ended(within=5) == 0
    assert not [line for line in stage.app.lines() if "Traceback" in line]
