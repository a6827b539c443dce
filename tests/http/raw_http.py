"""HTTP by hand: what no client library would send, byte for byte."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import msgspec


class RawAnswer(msgspec.Struct):
    """What came back on the wire; status 0 when nothing did."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    rest: bytes = b""

    def header(self, name: str) -> str | None:
        """The only value of a header."""
        found = [text for given, text in self.headers if given == name]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def ours(self) -> bool:
        """Whether the application answered; the server itself refuses what is not HTTP, with an empty body."""
        return self.header("x-request-id") is not None

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def send(origin: str, data: bytes, *, hang_up: bool = False) -> RawAnswer:
    """Send bytes on a connection of their own; the answer, and whatever came after it until the connection closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(origin).port)
    writer.write(data)
    try:
        await writer.drain()
        if hang_up:
            return RawAnswer(0, [], b"")
        async with asyncio.timeout(10):
            return _parsed(await reader.read(-1))
    except ConnectionError:
        return RawAnswer(0, [], b"")
    finally:
        writer.close()


async def ask(origin: str, method: bytes, target: bytes, *headers: bytes, body: bytes = b"") -> RawAnswer:
    """One request with these header lines, on a connection that is closed afterwards."""
    lines = [method + b" " + target + b" HTTP/1.1", *headers, b"Connection: close"]
    if not any(line.lower().startswith(b"host:") for line in headers):
        lines.insert(1, b"Host: 127.0.0.1")
    return await send(origin, b"\r\n".join(lines) + b"\r\n\r\n" + body)


def _parsed(data: bytes) -> RawAnswer:
    if not data:
        return RawAnswer(0, [], b"")
    head, _, rest = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), text.strip()) for name, _, text in (line.partition(":") for line in lines)]
    length = int(dict(headers).get("content-length", "0"))
    return RawAnswer(int(status.split()[1]), headers, rest[:length], rest[length:])
