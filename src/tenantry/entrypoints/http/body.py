"""Reading a request's body: its type checked, its size counted while it comes, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.foundation.problems import Malformed, TooLarge, UnsupportedMediaType

MAX_BODY = 1024 * 1024
"""Bytes of a request's body."""
PATIENCE = 30.0
"""Seconds for a body to arrive."""
# what is left of the body is not read, so that nothing can follow it on this connection
CLOSE = {"connection": "close"}
JSON_TYPES = frozenset((b"application/json", b"application/json;charset=utf-8"))

Receive = Callable[[], Awaitable[dict[str, Any]]]


class HungUp(Exception):
    """The client left before its request was complete; what came of it is never processed."""


async def read_body(arrival: Arrival, receive: Receive, *, types: frozenset[bytes] = JSON_TYPES) -> bytes:
    """The whole body, of one of these types, or the Problem it is."""
    length = arrival.headers.get(b"content-length")
    if length is not None and (not length.isdigit() or int(length) > MAX_BODY):
        raise TooLarge(headers=CLOSE)
    if b"content-encoding" in arrival.headers:
        raise UnsupportedMediaType("Send the body without a content encoding.")
    try:
        async with asyncio.timeout(PATIENCE):
            body = await _whole(receive)
    except TimeoutError as error:
        raise Malformed("The body took too long to arrive.") from error
    if body:
        _check_type(arrival.headers.get(b"content-type", b""), types)
    return body


async def _whole(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise TooLarge(headers=CLOSE)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


def _check_type(given: bytes, types: frozenset[bytes]) -> None:
    if given.replace(b" ", b"").replace(b'"', b"").lower() not in types:
        raise UnsupportedMediaType
