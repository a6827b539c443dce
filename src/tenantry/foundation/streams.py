"""Streams: answers that go on, as values; a domain says what is told, and the entry point how it goes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from tenantry.foundation.problems import TooMany, Unavailable

Shape = TypeVar("Shape")
MOST_AT_ONCE = 100
"""Messages that a stream reads at once, and holds while they go out, at most."""


class StreamsFull(Unavailable):
    """As many event streams are open as there may be; try again shortly."""

    code = "streams_full"


class TooManyStreams(TooMany):
    """You have as many event streams open as one may have; close one of them first."""

    code = "too_many_streams"


class Told(msgspec.Struct, frozen=True):
    """One message: where it stands, for whoever comes back; what it is; and what it says."""

    place: str
    kind: str
    data: Any


class Streamed(Generic[Shape]):
    """An answer that goes on: from `place`, what there is; then what comes, for as long as it may be read.

    `look` gives what came since it was asked last, `MOST_AT_ONCE` messages at most: then there is more. It asks each
    time whether the person may still read it, and raises the Problem that ends the stream. Between looks it holds
    nothing: no connection, no transaction, no message.
    """

    def __init__(self, org: UUID, person: UUID, place: str, look: Callable[[], Awaitable[list[Told]]]) -> None:
        self.org = org
        self.person = person
        self.place = place
        self.look = look
