"""The ear: hears the bell on a connection past any pooler.

A connection can be open and deaf (a pooler in between, a firewall that forgot it), so the ear counts as listening only
while a notification that it sent to itself comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import asyncpg
from asyncpg import Connection

from tenantry.foundation.jobs.bell import CHANNEL, LOOK
from tenantry.foundation.jobs.trouble import TROUBLE, breath
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.jobs")


class Ear:
    """Calls `wake` when the bell rings, `look` before it when there is more to see; knows whether it would hear."""

    def __init__(
        self,
        runtime: Runtime,
        wake: Callable[[], None],
        *,
        look: Callable[[], None] = lambda: None,
        beat: float = 10.0,
        patience: float = 3.0,
    ) -> None:
        self._runtime = runtime
        self._wakes = [wake]
        self._look = look
        self._beat = beat
        self._patience = patience
        self._own = f"tenantry_ear_{uuid4().hex}"
        self._heard = asyncio.Event()
        self.listening = False

    def also(self, wake: Callable[[], None]) -> None:
        """Call this one too."""
        self._wakes.append(wake)

    def _wake(self) -> None:
        for wake in self._wakes:
            wake()

    async def listen(self) -> None:
        """Listen until cancelled, with a new connection whenever the old one proves deaf."""
        while True:
            try:
                await self._attend()
            except TROUBLE as error:
                log.warning("not listening for new jobs; polling for them", error=type(error).__name__)
            self.listening = False
            await breath()

    async def _attend(self) -> None:
        connection = await self._connect()
        gone = asyncio.Event()
        connection.add_termination_listener(lambda *_: gone.set())
        try:
            await connection.add_listener(CHANNEL, self._rung)
            await connection.add_listener(self._own, lambda *_: self._heard.set())
            # whatever was asked for before this moment rang unheard
            self._rung(connection, 0, CHANNEL, LOOK)
            while not gone.is_set():
                await self._prove(connection)
                await self._pause(gone)
        finally:
            connection.terminate()

    def _rung(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload == LOOK:
            self._look()
        self._wake()

    async def _connect(self) -> Connection[Any]:
        direct = self._runtime.settings.direct_url
        url = self._runtime.database.url if direct is None else direct.reveal()
        connection: Connection[Any] = await asyncpg.connect(
            url, timeout=5, command_timeout=5, server_settings={"application_name": "tenantry jobs"}
        )
        return connection

    async def _prove(self, connection: Connection[Any]) -> None:
        self._heard.clear()
        await connection.execute(f"notify {self._own}")
        async with asyncio.timeout(self._patience):
            await self._heard.wait()
        self.listening = True

    async def _pause(self, gone: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._beat):
                await gone.wait()
        except TimeoutError:
            return
        raise ConnectionResetError("the listening connection ended")
