"""Signed notices on their way to webhook endpoints: in order, or twice, late, shuffled, lost, again."""

from __future__ import annotations

import asyncio
import hmac
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp

from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.notices import matches

Mode = Literal["deliver", "duplicate", "delay", "reorder", "drop"]
TIMEOUT, RETRY_SECONDS = 10.0, (1.0, 5.0, 25.0)


@dataclass(slots=True)
class Sent:
    """One attempt to deliver: the event, where to, and what came back; 0 when nobody answered."""

    event: Thing
    url: str
    status: int = 0
    attempt: int = 1
    body: bytes = b""
    signature: str = ""


@dataclass(slots=True)
class Deliveries:
    """Takes events, and posts them as the mode says.

    `deliver` posts each once, in order. `duplicate` posts each twice. `delay` and `reorder` keep them until
    `release()`, which posts them in order or shuffled. `drop` never posts them; `replay()` still can.
    """

    books: Books
    mode: Mode = "deliver"
    retries: tuple[float, ...] = RETRY_SECONDS
    sent: list[Sent] = field(default_factory=list)
    held: list[Thing] = field(default_factory=list)
    dropped: list[Thing] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    _queue: asyncio.Queue[tuple[Thing, Thing, int]] = field(default_factory=asyncio.Queue)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        self._keep(self._post_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def take(self, events: Iterable[Thing]) -> None:
        """What a request told."""
        for event in events:
            if self.mode == "drop":
                self.dropped.append(event)
            elif self.mode in ("delay", "reorder"):
                self.held.append(event)
            else:
                self._enqueue(event, times=2 if self.mode == "duplicate" else 1)

    def release(self, *, shuffled: bool | None = None, seed: int | None = None) -> None:
        """Post what was kept; shuffled in the mode `reorder`, or if said so."""
        held, self.held = self.held, []
        if self.mode == "reorder" if shuffled is None else shuffled:
            random.Random(seed).shuffle(held)  # noqa: S311 - an order, not a secret
        for event in held:
            self._enqueue(event)

    def replay(self, *events: str) -> None:
        """Post these events again, by id, whatever became of them."""
        for id_ in events:
            self._enqueue(self.books.get("event", id_))

    async def settled(self, within: float = 10) -> None:
        """Wait until all that is on its way was answered; retries that wait for their time are not waited for."""
        async with asyncio.timeout(within):
            await self._queue.join()

    def _enqueue(self, event: Thing, *, times: int = 1) -> None:
        for endpoint in self.books.kinds["webhook_endpoint"].values():
            wanted = any(matches(event, one) for one in endpoint["enabled_events"])
            for _ in range(times if wanted and endpoint["status"] == "enabled" else 0):
                self._queue.put_nowait((event, endpoint, 1))

    async def _post_all(self) -> None:
        while True:
            event, endpoint, attempt = await self._queue.get()
            try:
                await self._post(event, endpoint, attempt)
            finally:
                self._queue.task_done()

    async def _post(self, event: Thing, endpoint: Thing, attempt: int) -> None:
        body = json.dumps(event).encode()
        signature = signed(body, self.books.secrets[f"endpoint:{endpoint['id']}"], int(self.clock()))
        sent = Sent(event, endpoint["url"], attempt=attempt, body=body, signature=signature)
        sent.status = await self._answer(sent)
        self.sent.append(sent)
        if 200 <= sent.status < 300:
            self.books.change(event, pending_webhooks=max(0, event["pending_webhooks"] - 1))
        elif attempt <= len(self.retries):
            self._keep(self._later(event, endpoint, attempt))

    async def _answer(self, sent: Sent) -> int:
        if self._session is None:
            return 0
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": sent.signature}
        try:
            async with self._session.post(sent.url, data=sent.body, headers=headers, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0

    async def _later(self, event: Thing, endpoint: Thing, attempt: int) -> None:
        await asyncio.sleep(self.retries[attempt - 1])
        self._queue.put_nowait((event, endpoint, attempt + 1))

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def counts(self) -> dict[str, int]:
        """How often each type was posted."""
        found: dict[str, int] = defaultdict(int)
        for one in self.sent:
            found[one.event["type"]] += 1
        return dict(found)


def signed(body: bytes, secret: str, at: int) -> str:
    """The header that proves a notice: the time, and the signature over time and body."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
    return f"t={at},v1={digest}"
