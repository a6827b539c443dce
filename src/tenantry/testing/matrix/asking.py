"""Requests as they go out, byte for byte, and what came back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
from yarl import URL

PATIENCE = aiohttp.ClientTimeout(total=30)
OF_THE_MOMENT = frozenset(("date", "x-request-id"))


class Ask(msgspec.Struct, frozen=True):
    """One request; `says` are the texts in it that name something, which an answer may say again."""

    method: str
    path: str
    headers: Mapping[str, str] = {}
    data: bytes | None = None
    says: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The request in a line."""
        body = f" {self.data.decode()[:200]}" if self.data else ""
        return f"{self.method} {self.path}{body}"


class Answer(msgspec.Struct, frozen=True):
    """What came back, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def everything(self) -> str:
        """All that was said, in small letters: canaries are looked for in it."""
        return "\n".join((*map(": ".join, self.headers.items()), self.body.decode("utf-8", "replace"))).lower()

    def seen(self, ask: Ask) -> tuple[Any, ...]:
        """All of it that could tell one thing from another, but for what the request itself said."""
        names = frozenset(self.headers) - OF_THE_MOMENT
        if self.status < 300 and ask.method != "GET":
            return self.status, names
        return self.status, names, self._body_without(ask.says)

    def _body_without(self, said: tuple[str, ...]) -> Any:
        text = self.body.decode("utf-8", "replace")
        for one in sorted(said, key=len, reverse=True):
            text = text.replace(one, "...")
        try:
            body = json.loads(text)
        except ValueError:
            return text
        return {name: part for name, part in body.items() if name != "request_id"} if isinstance(body, dict) else body


class Asker:
    """Sends requests to one origin and counts them."""

    def __init__(self, http: aiohttp.ClientSession, origin: str) -> None:
        self._http = http
        self._origin = origin
        self.asked = 0

    async def ask(self, ask: Ask) -> Answer:
        """The answer; the path goes out as it is spelled."""
        self.asked += 1
        async with self._http.request(
            ask.method,
            URL(self._origin + ask.path, encoded=True),
            data=ask.data,
            headers=dict(ask.headers),
            allow_redirects=False,
            skip_auto_headers=("content-type",),
            timeout=PATIENCE,
        ) as answer:
            headers = {name.lower(): text for name, text in answer.headers.items()}
            goes_on = answer.content_type == "text/event-stream"
            return Answer(answer.status, headers, await (_beginning(answer) if goes_on else answer.read()))


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """What a stream tells first, without where it stands and when to come back: those are never the same twice."""
    lines = (await answer.content.readuntil(b"\n\n")).splitlines()
    return b"\n".join(line for line in lines if line.startswith((b"event:", b"data:")))
