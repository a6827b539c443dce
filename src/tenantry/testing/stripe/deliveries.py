"""Signed notices on their way to webhook endpoints: in order, or twice, late, shuffled, lost, again."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp

from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.notices import matches

Mode = Literal["deliver", "duplicate", "delay", "reorder", "drop"]
TIMEOUT, RETRY_SECONDS, NOT_KEPT_YET = 10.0, (1.0, 5.0, 25.0), 1.0


async def _at_once(_: int) -> bool:
    return True


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
class Waiting:
    """An attempt that is still to be made, not before an instant (in seconds since 1970, by the machine's clock)."""

    event: Thing
    endpoint: Thing
    attempt: int = 1
    at: float = 0
    since: int = 0  # as many changes the books had seen when it was told


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
    kept: Callable[[int], Awaitable[bool]] = _at_once
    waiting: dict[int, Waiting] = field(default_factory=dict)
    _queue: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        self._keep(self._post_all())
        for number in self.waiting:
            self._soon(number)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        # whoever enters again begins with all that waits
        self._session, self._queue = None, asyncio.Queue()

    def take(self, events: Iterable[Thing]) -> None:
        """What a request told."""
        for event in events:
            self.books.touched()
            if self.mode == "drop":
                self.dropped.append(event)
            elif self.mode in ("delay", "reorder"):
                self.held.append(event)
            else:
                self._enqueue(event, times=2 if self.mode == "duplicate" else 1)

    def release(self, *, shuffled: bool | None = None, seed: int | None = None) -> None:
        """Post what was kept; shuffled in the mode `reorder`, or if said so."""
        held, self.held = self.held, []
        self.books.touched()
        if self.mode == "reorder" if shuffled is None else shuffled:
            random.Random(seed).shuffle(held)  # noqa: S311 - an order, not a secret
        for event in held:
            self._enqueue(event)

    def replay(self, *events: str) -> None:
        """Post these events again, by id, whatever became of them."""
        for id_ in events:
            self._enqueue(self.books.get("event", id_))
        self.dropped = [one for one in self.dropped if one["id"] not in events]

    def switch(self, mode: Mode) -> None:
        """Treat what is told from now on in this way."""
        self.mode = mode
        self.books.touched()

    async def settled(self, within: float = 10) -> None:
        """Wait until all that is on its way was answered; retries that wait for their time are not waited for."""
        async with asyncio.timeout(within):
            await self._queue.join()

    def _enqueue(self, event: Thing, *, times: int = 1) -> None:
        for endpoint in self.books.kinds["webhook_endpoint"].values():
            wanted = any(matches(event, one) for one in endpoint["enabled_events"])
            for _ in range(times if wanted and endpoint["status"] == "enabled" else 0):
                self.wait(Waiting(event, endpoint, since=self.books.changes))

    def wait(self, one: Waiting) -> None:
        """Make this attempt when it is due; what waits while nothing is sent is sent later."""
        number = next(self._numbers)
        self.waiting[number] = one
        self.books.touched()
        if self._session is not None:
            self._soon(number)

    async def _post_all(self) -> None:
        while True:
            number = await self._queue.get()
            try:
                await self._post(number, self.waiting[number])
            finally:
                self._queue.task_done()

    async def _post(self, number: int, one: Waiting) -> None:
        while not await self.kept(one.since):  # noqa: ASYNC110 - it waits for the answer, then asks again
            # a notice of what a crash could still undo would be a lie
            await asyncio.sleep(NOT_KEPT_YET)
        body = json.dumps(one.event).encode()
        signature = signed(body, self.books.secrets[f"endpoint:{one.endpoint['id']}"], int(self.clock()))
        sent = Sent(one.event, one.endpoint["url"], attempt=one.attempt, body=body, signature=signature)
        sent.status = await self._answer(sent)
        self.sent.append(sent)
        del self.waiting[number]
        self._done(one, sent.status)

    def _done(self, one: Waiting, status: int) -> None:
        self.books.touched()
        if 200 <= status < 300:
            self.books.change(one.event, pending_webhooks=max(0, one.event["pending_webhooks"] - 1))
        elif one.attempt <= len(self.retries):
            at = time.time() + self.retries[one.attempt - 1]
            self.wait(Waiting(one.event, one.endpoint, one.attempt + 1, at))

    async def _answer(self, sent: Sent) -> int:
        if self._session is None:
            return 0
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": sent.signature}
        try:
            async with self._session.post(sent.url, data=sent.body, headers=headers, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0

    def _soon(self, number: int) -> None:
        seconds = self.waiting[number].at - time.time()
        if seconds > 0:
            self._keep(self._later(number, seconds))
        else:
            self._queue.put_nowait(number)

    async def _later(self, number: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._queue.put_nowait(number)

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
