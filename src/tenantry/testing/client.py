"""A client that speaks real HTTP to an installation, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec


class Response(msgspec.Struct, frozen=True):
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The stable code of a problem document, or None."""
        problem = self.headers.get("content-type") == "application/problem+json"
        return self.json["code"] if problem else None


class Client:
    """Speaks to one origin, as nobody or as a signed-in person."""

    def __init__(self, http: aiohttp.ClientSession, origin: str, *, tokens: Mapping[str, Any] | None = None) -> None:
        self._http = http
        self.origin = origin
        self.tokens: dict[str, Any] = dict(tokens or {})

    @property
    def email(self) -> str:
        """The address of the person this client is signed in as."""
        return str(self.tokens["user"]["email"])

    @property
    def user_id(self) -> str:
        """The id of the person this client is signed in as."""
        return str(self.tokens["user"]["id"])

    def signed_in(self, tokens: Mapping[str, Any]) -> Client:
        """The same client with other tokens."""
        return Client(self._http, self.origin, tokens=tokens)

    async def get(self, path: str, **rest: Any) -> Response:
        """GET."""
        return await self.request("GET", path, **rest)

    async def post(self, path: str, body: Any = None, **rest: Any) -> Response:
        """POST, with a body as JSON."""
        return await self.request("POST", path, body=body, **rest)

    async def patch(self, path: str, body: Any = None, **rest: Any) -> Response:
        """PATCH, with a body as JSON."""
        return await self.request("PATCH", path, body=body, **rest)

    async def delete(self, path: str, **rest: Any) -> Response:
        """DELETE."""
        return await self.request("DELETE", path, **rest)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Any request; `data` goes out as it is, `body` as JSON."""
        given = dict(headers or {})
        if self.tokens:
            given.setdefault("authorization", f"Bearer {self.tokens['access_token']}")
        if body is not None:
            data = json.dumps(body).encode()
            given.setdefault("content-type", "application/json")
        async with self._http.request(
            method,
            self.origin + path,
            data=data,
            headers=given,
            allow_redirects=False,
            skip_auto_headers=("content-type",),
        ) as answer:
            return Response(
                answer.status,
                {name.lower(): text for name, text in answer.headers.items()},
                await answer.read(),
            )
