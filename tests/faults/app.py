"""The product as processes: `python -m tenantry ...` in a process group of its own, killed, stopped and started again.

A `Stage` is one database behind the fault proxy, the served app that reaches it only through the proxy, and an
installation in the test's own process that reaches it past the proxy: it prepares people and looks at what is there.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tenantry.foundation.data.database import LOST
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Databases, Installation, Response, installed
from tenantry.testing.installation import MASTER_KEYS

from . import proxied
from .crash_points import process_group
from .proxy import PostgresProxy, Speech

READY_WITHIN = 20.0
PATIENCE = 30.0
LOOK_AGAIN = 0.02
STATUS_OF_EXIT = {0: 200, 1: 422, 2: 400, 3: 503}
_numbers = itertools.count(1)


async def eventually(condition: Callable[[], Awaitable[bool]], within: float) -> float:
    """Wait until a condition holds; the seconds that took."""
    started = time.monotonic()
    while not await condition():
        assert time.monotonic() - started < within, f"not within {within} s"
        await asyncio.sleep(LOOK_AGAIN)
    return time.monotonic() - started


def free_port() -> int:
    """A port of this machine that nobody listens on, and that no outgoing connection is given by chance."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def port_is_free(port: int) -> bool:
    """Whether nobody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def new_address() -> str:
    """An address that no other run of this session used."""
    return f"person{next(_numbers)}@faults.example.com"


class Program:
    """One command of the product, with the log of its last run in a file."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.words, self.environment, self.log = tuple(words), dict(environment), log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def start(self, *, python: str = sys.executable, **how: Any) -> None:
        """Start it, alone in its process group."""
        self.log.unlink(missing_ok=True)
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("TENANTRY_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [python, "-m", "tenantry", *self.words],
                env=inherited | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **how,
            )

    async def kill(self) -> None:
        """Kill -9 the whole group, and see it dead."""
        if self.process is not None:
            await process_group(self.process.pid)()
            self.process.wait()

    def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal the one process that was started, as a supervisor does."""
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self, within: float) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None
        process = self.process

        async def gone() -> bool:
            return process.poll() is not None

        await eventually(gone, within)
        return int(process.returncode)

    def lines(self) -> list[str]:
        """What it has logged since it was started last."""
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    async def says(self, words: str, within: float = READY_WITHIN) -> None:
        """Wait until a line of its log contains these words."""

        async def said() -> bool:
            return any(words in line for line in self.lines())

        await eventually(said, within)


async def asked(request: Awaitable[Response]) -> Response | None:
    """The answer to a request, or None where the connection was cut before there was one."""
    with suppress(aiohttp.ClientError, OSError):
        return await asyncio.wait_for(request, PATIENCE)
    return None


def status_of(answer: Response | None) -> int | None:
    return None if answer is None else answer.status


@asynccontextmanager
async def speaking(origin: str) -> AsyncIterator[Client]:
    """A client that opens a connection for each request: none of them is one that a kill has left half-dead."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(PATIENCE)) as http:
        yield Client(http, origin)


async def readiness(client: Client) -> int | None:
    """What /readyz answers now."""
    return status_of(await asked(client.get("/readyz")))


async def until_ready(client: Client, within: float = READY_WITHIN) -> float:
    """Wait until the app can take traffic; the seconds that took."""

    async def ready() -> bool:
        return await readiness(client) == 200

    return await eventually(ready, within)


@dataclass
class Stage:
    """One database, the proxy in front of it, the served app and what stands behind the scenes."""

    proxy: PostgresProxy
    through: str
    past: str
    app: Program
    command: Program
    client: Client
    behind: Installation

    async def typed(self, *words: str) -> Response:
        """What a command answers: its exit code as the status it stands for, and what it printed."""
        self.command.words = words
        self.command.start()
        code = await self.command.ended(PATIENCE)
        if code < 0:
            raise ConnectionAbortedError(f"killed: {words}")
        return Response(STATUS_OF_EXIT.get(code, 500), {}, "\n".join(self.command.lines()).encode())

    async def start(self) -> None:
        """Start the app anew and wait until it is ready."""
        await self.app.kill()
        self.app.start()
        try:
            await until_ready(self.client)
        except AssertionError as late:
            raise AssertionError("\n".join([str(late), *self.app.lines()[-30:]])) from late

    async def rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """What a statement finds, asked past the proxy, waiting for a database that is starting again."""
        async with asyncio.timeout(READY_WITHIN):
            while True:
                with suppress(*LOST):
                    return await self.behind.rows(statement, *arguments)
                await asyncio.sleep(LOOK_AGAIN)

    async def value(self, statement: str, *arguments: Any) -> Any:
        """The one value that a statement finds."""
        (row,) = await self.rows(statement, *arguments)
        return row[0]


def of_a_request(speech: Speech) -> bool:
    """Whether a connection is in a transaction; the bell and logins are not of the request."""
    # a rollback alone ends what was only read, some time later or never: no step of the request
    return speech.opening.startswith("begin") and speech.latest != "rollback" and "notify" not in speech.opening


def environment(url: str, data: Path, port: int, **more: str) -> dict[str, str]:
    """The settings of a served app or a worker of the tests."""
    return {
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": url,
        "TENANTRY_DATA": str(data),
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
        "TENANTRY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TENANTRY_OPS_LISTEN": "",
        "TENANTRY_RATE_LIMITS": "off",
    } | more


@asynccontextmanager
async def staged(databases: Databases, registry: Registry, folder: Path, *, workers: int = 1) -> AsyncIterator[Stage]:
    """A stage; its app is not started yet, and nothing of it is left afterwards."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    async with (
        databases.fresh() as past,
        proxied(past) as (proxy, through),
        installed(past, folder, registry=registry, environ={"TENANTRY_PUBLIC_URL": origin}) as behind,
        speaking(origin) as client,
    ):
        words = ("serve", "--port", str(port), "--workers", str(workers))
        settings = environment(through, folder, port)
        app = Program(words, settings, folder / "app.log")
        command = Program((), settings | {"TENANTRY_LOG_LEVEL": "error"}, folder / "command.log")
        try:
            yield Stage(proxy, through, past, app, command, client, behind)
        finally:
            proxy.toxics.heal()
            await app.kill()
            await command.kill()
