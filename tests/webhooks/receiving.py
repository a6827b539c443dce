"""Receivers of webhooks for tests: one that hears and answers as it is told, on an address that egress allows."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from tenantry.foundation.data.ids import EVENT_ID


class Heard(NamedTuple):
    """One request, as it came."""

    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """Which message it was."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """What it says."""
        return json.loads(self.body)


class Receiver:
    """Hears what is sent, and answers with what was put before it, or 200."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.always: tuple[int, dict[str, str]] = (200, {})
        self.meanwhile: Callable[[Heard], Awaitable[None]] | None = None
        self.under_way = self.most_at_once = 0
        self.place = ""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.place}/hook"

    @property
    def ids(self) -> list[str]:
        """Which messages came, in their order, each as often as it came."""
        return [one.id for one in self.heard]

    def answer(self, *statuses: int, **headers: str) -> None:
        """Answer the next requests with these."""
        self.answers.extend((status, headers) for status in statuses)

    async def hear(self, request: web.Request) -> web.Response:
        """Take one in."""
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            heard = Heard(dict(request.headers), await request.read(), asyncio.get_running_loop().time())
            self.heard.append(heard)
            status, headers = self.answers.popleft() if self.answers else self.always
            if self.meanwhile is not None:
                await self.meanwhile(heard)
            return web.Response(status=status, headers=headers, text="heard")
        finally:
            self.under_way -= 1


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver, app = Receiver(), web.Application(client_max_size=2**24)
    app.router.add_post("/hook", receiver.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.place = f"{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def told(event_id: Any) -> str:
    """An event's id as it is told."""
    return EVENT_ID.text(event_id)
