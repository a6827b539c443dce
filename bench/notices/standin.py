"""A Stripe that answers for subscriptions and nothing else, fast: `python -m bench.notices.standin COUNT`.

Every answer is made before the first question. It prints its port, and how often it was asked when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvloop

from bench.notices.told import subscription


class Standin(asyncio.Protocol):
    """One connection: a question is a head without a body."""

    def __init__(self, answers: dict[bytes, bytes], asked: list[int]) -> None:
        self.answers, self.asked, self.buffer = answers, asked, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole question by the path of what it asks for."""
        *heads, self.buffer = (self.buffer + data).split(b"\r\n\r\n")
        for head in heads:
            self.asked[0] += 1
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            self.transport.write(self.answers.get(path, MISSING))


def answered(body: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer."""
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nrequest-id: req_1\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


MISSING = answered(
    b'{"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "id"}}', b"404 Not Found"
)


async def main(count: int) -> None:
    """Answer until the input ends."""
    answers = {
        f"/v1/subscriptions/sub_{number}".encode(): answered(json.dumps(subscription(number)).encode())
        for number in range(count)
    }
    asked, loop, lines = [0], asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    server = await loop.create_server(lambda: Standin(answers, asked), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await lines.read()
    print(asked[0], flush=True)
    server.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
