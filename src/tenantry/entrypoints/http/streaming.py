"""Streaming: answers that go on, as server-sent events, and how many of them a process keeps.

A stream is a loop of looks, each a transaction of its own with the person's rights in it. It looks when there is news,
and with every sign of life; whatever is refused then is its end. One page of messages is held while it goes out, and a
client that does not take it is left. The server keeps for it what it did not take until it hangs up, and so it keeps
its place until then: else whoever never reads could be left again and again, with more held each time.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import Gauge

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.reply import encode
from tenantry.entrypoints.http.stopping import Stopping
from tenantry.foundation.events.news import News
from tenantry.foundation.logs import get_logger
from tenantry.foundation.problems import Internal, Problem, Unavailable
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.streams import MOST_AT_ONCE, Streamed, StreamsFull, Told, TooManyStreams

MOST_IN_ORG, MOST_OF_PERSON = 5, 15
"""Event streams that a person may have open in a process: in one organization, and in all of theirs."""
WRITE_WITHIN = 10.0
"""Seconds that a client may take to take what a stream tells it."""
LOOK_WITHIN = 10.0
FULL_FOR = 5
RENEW, STOPPING, GONE = "renew", "stopping", "gone"
SIGN_OF_LIFE = b":\n\n"
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
streams_open = Gauge("tenantry_http_streams", "Event streams that are open.")
log = get_logger("tenantry.http")


class Streams:
    """The streams of a process: who has a place, what wakes them, and the end of all when it is told to stop."""

    def __init__(self, runtime: Runtime) -> None:
        self._settings = runtime.settings
        self._news = News(runtime)
        self._open: dict[Streamed[Any], _Stream] = {}
        self._stopping = False
        self._told_to_stop = Stopping(self.end_all)

    def admit(self, streamed: Streamed[Any]) -> None:
        """Give a stream its place, which its `run` gives back, or say why there is none."""
        in_org = Counter((one.person, one.org) for one in self._open)
        of_person = Counter(one.person for one in self._open)
        if in_org[streamed.person, streamed.org] >= MOST_IN_ORG or of_person[streamed.person] >= MOST_OF_PERSON:
            raise TooManyStreams(retry_after=FULL_FOR)
        if self._stopping or len(self._open) >= self._settings.streams:
            raise StreamsFull(retry_after=FULL_FOR)
        life = self._settings.stream_life * random.uniform(1, 1.1)  # noqa: S311  (spreads load, hides nothing)
        self._open[streamed] = _Stream(streamed, life=life, beat=self._settings.stream_heartbeat)
        streams_open.inc()

    async def run(
        self, streamed: Streamed[Any], arrival: Arrival, start: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        """Send a stream until it ends, for whichever reason."""
        stream = self._open[streamed]
        hearing = asyncio.create_task(_hear(stream, receive))
        try:
            await send(start)
            with self._news.of(streamed.org, stream.wake):
                await stream.run(arrival, send)
        finally:
            hearing.cancel()
            del self._open[streamed]
            streams_open.dec()

    def start(self) -> None:
        """Hear when the process is told to stop: no stream would ever be complete."""
        self._told_to_stop.listen()

    async def stop(self) -> None:
        """End what is still open, and hear no more."""
        self._told_to_stop.deafen()
        self.end_all()
        await self._news.close()

    def end_all(self) -> None:
        """End every stream now, and admit no more."""
        self._stopping = True
        for stream in self._open.values():
            stream.end(STOPPING)


class _Stream:
    """One stream: its next look, and why there will be none."""

    def __init__(self, streamed: Streamed[Any], *, life: float, beat: float) -> None:
        self._streamed = streamed
        self._ends_at = asyncio.get_running_loop().time() + life
        self._beat = beat
        self._why = ""
        self.wake = asyncio.Event()

    def end(self, why: str) -> None:
        """Let there be no further look."""
        self._why = self._why or why
        self.wake.set()

    async def run(self, arrival: Arrival, send: Send) -> None:
        """Tell what there is and what comes; then why that is all, to a client that still listens."""
        try:
            await _write(send, _opening(self._streamed.place))
            why = await self._go_on(arrival, send)
            if why != GONE:
                await _write(send, b"event: end\ndata: " + encode({"reason": why}) + b"\n\n")
                await _write(send, b"", more=False)
        except TimeoutError:
            log.info("a client did not take what it was told", request_id=arrival.request_id)
            await self._left()

    async def _go_on(self, arrival: Arrival, send: Send) -> str:
        while True:
            self.wake.clear()
            if why := self._over():
                return why
            try:
                told = await self._look()
            except Problem as problem:
                arrival.problem = problem
                return problem.code
            except Exception as error:  # noqa: BLE001  (the last layer of a stream: its client is told of an end)
                arrival.problem, arrival.failure = Internal(), error
                return Internal.code
            if told:
                await _write(send, b"".join(map(_message, told)))
            if len(told) < MOST_AT_ONCE and not await self._woken():
                await _write(send, SIGN_OF_LIFE)

    async def _left(self) -> None:
        """Wait until a client that is told no more hangs up, or its stream's time is over."""
        while not self._over():
            self.wake.clear()
            await self._woken()

    def _over(self) -> str:
        return self._why or (RENEW if self._time_left() <= 0 else "")

    def _time_left(self) -> float:
        return self._ends_at - asyncio.get_running_loop().time()

    async def _look(self) -> list[Told]:
        try:
            async with asyncio.timeout(LOOK_WITHIN):
                return await self._streamed.look()
        except TimeoutError as error:
            raise Unavailable from error

    async def _woken(self) -> bool:
        """Whether there was news before it was time for a sign of life."""
        try:
            async with asyncio.timeout(min(self._beat, max(self._time_left(), 0))):
                return await self.wake.wait()
        except TimeoutError:
            return False


async def _hear(stream: _Stream, receive: Receive) -> None:
    """End a stream whose client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end(GONE)


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(WRITE_WITHIN):
        await send({"type": "http.response.body", "body": body, "more_body": more})


def _opening(place: str) -> bytes:
    """Where the client stands before anything has happened, and when to come back, not all in the same moment."""
    wait = random.randint(1000, 3000)  # noqa: S311  (spreads load, hides nothing)
    return b": welcome\nretry: %d\nid: %s\n\n" % (wait, place.encode())


def _message(told: Told) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (told.place.encode(), told.kind.encode(), encode(told.data))
