"""One connection to a receiver, which may be hostile: every byte of it is counted before it is parsed.

aiohttp bounds one line and the number of lines. It does not bound interim answers, answers that nobody asked for on
a connection that waits, or the frames of chunks; and it closes a connection by waiting until the other side has
taken what was written. Here all of that has an end, and a connection that is done with goes at once.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import set_exception

from tenantry.foundation.net.egress.limits import MOST_HEAD, MOST_WIRE, SLICE

END_OF_HEAD = b"\r\n\r\n"
INTERIM, SWITCHING = range(100, 200), 101


class TooMuch(Exception):
    """A receiver says more than is heard."""


class Room:
    """How many connections are open: beyond so many, none is kept for later."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    @property
    def is_full(self) -> bool:
        """Whether what is released is closed."""
        return self.taken > self.most


class Receiver(ResponseHandler):
    """aiohttp's side of a connection, with an end to what it listens to."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, room: Room, age: float) -> None:
        super().__init__(loop)
        self._room = room
        self._until = monotonic() + age
        self._begin()

    def _begin(self) -> None:
        self._heard, self._has_head, self._unasked = 0, False, False

    def set_response_params(self, **how: Any) -> None:
        """A request is about to be sent: what is heard from here on is its answer."""
        self._begin()
        super().set_response_params(**how)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more is open."""
        self._room.taken += 1
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """One less is open."""
        self._room.taken -= 1
        super().connection_lost(exc)

    @property
    def should_close(self) -> bool:
        """Whether it goes when the answer is in: also when it is old, or too many are open."""
        return self._room.is_full or monotonic() > self._until or super().should_close

    def data_received(self, data: bytes) -> None:
        """Listen, as long as this is what was asked for and not too much of it."""
        if not data:
            # aiohttp goes on with what it had held back; that was counted when it came
            super().data_received(data)
        start = 0
        while start < len(data) and not self._is_going():
            end = self._end_of_part(data, start)
            self._listen(data[start:end])
            start = end

    def _end_of_part(self, data: bytes, start: int) -> int:
        # a head is parsed by itself: what is wrong behind an answer must not take the answer with it
        found = -1 if self._has_head else data.find(END_OF_HEAD, start, start + SLICE)
        return start + SLICE if found < 0 else found + len(END_OF_HEAD)

    def _listen(self, data: bytes) -> None:
        self._heard += len(data)
        if self._is_answered():
            self._unasked = True
        elif self._heard > (MOST_WIRE if self._has_head else MOST_HEAD):
            self.set_exception(TooMuch())
        else:
            super().data_received(data)
        if self._unasked:
            self.abort()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A head has come: that of the answer, one that nobody asked for, or one before it, which says nothing."""
        if self._has_head:
            self._unasked = True
        elif data[0].code == SWITCHING or data[0].code not in INTERIM:
            self._has_head = True
            super().feed_data(data, size)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """The first failure is what is told, to whoever waits for the head or for the body; the socket goes."""
        if self._exception is None:
            super().set_exception(exc, *cause)
            if self._payload is not None and not self._payload.is_eof():
                set_exception(self._payload, exc)
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """Go at once: closing politely waits for whoever does not read, for as long as they like."""
        self.abort()

    def _is_answered(self) -> bool:
        return self._has_head and self._payload is not None and self._payload.is_eof()

    def _is_going(self) -> bool:
        return self.transport is None or self.transport.is_closing()
