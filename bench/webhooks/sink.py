"""A receiver that costs next to nothing: `python -m bench.webhooks.sink` prints its port, and when asked what it heard.

It answers 200 to each request and remembers when the first byte of each message came, by the machine's monotonic clock.
A request to another path is answered as badly as its name says: `/never`, `/drip`, `/large`, `/headers`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEARD: dict[str, float] = {}
DRIPPING = 0.5
MUCH = b"x" * 65536
ENDLESS = b"X-More: and more\r\n" * 500


class Sink(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        self.waiting = b""
        self.began = 0.0

    def data_received(self, data: bytes) -> None:
        if not self.waiting:
            self.began = time.monotonic()
        self.waiting += data
        while whole := _whole(self.waiting):
            head, self.waiting = self.waiting[:whole], self.waiting[whole:]
            badly = getattr(self, head[6 : head.find(b" ", 6)].decode(), None)
            if badly is not None:
                badly()
                return
            HEARD.setdefault(_header(head, b"webhook-id"), self.began)
            self.transport.write(ANSWER)

    def never(self) -> None:
        """Say nothing."""

    def drip(self) -> None:
        """Say a byte now and then, of very many."""
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        self._go_on(b"x", DRIPPING)

    def large(self) -> None:
        """Say a GiB."""
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        self._go_on(MUCH, 0.01)

    def headers(self) -> None:
        """Never come to the end of the headers."""
        self.transport.write(b"HTTP/1.1 200 OK\r\n")
        self._go_on(ENDLESS, 0.01)

    def _go_on(self, data: bytes, pause: float) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)
            asyncio.get_running_loop().call_later(pause, self._go_on, data, pause)


def _whole(data: bytes) -> int:
    """How long the first request is; 0 while it is not all there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    length = end + 4 + int(_header(data[:end], b"content-length") or 0)
    return length if len(data) >= length else 0


def _header(head: bytes, name: bytes) -> str:
    place = head.lower().find(b"\r\n" + name + b":")
    if place < 0:
        return ""
    start = place + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end > 0 else None].strip().decode()


async def main() -> None:
    """Listen until the input ends."""
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
    server = await loop.create_server(Sink, "127.0.0.1", 0)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await lines.readline():
        print(json.dumps(HEARD), flush=True)
        HEARD.clear()


if __name__ == "__main__":
    uvloop.run(main())
