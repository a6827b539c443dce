"""Asking the operations of a house one after another, and looking whether anything came of it."""

from __future__ import annotations

import statistics
import time
from typing import Any

from tenantry.foundation.routes import Route
from tenantry.testing import Client, Response


def path_of(route: Route) -> str:
    """The path of an operation, with ids that name nothing."""
    path = route.path
    for name, kind in route.ids.items():
        path = path.replace("{" + name + "}", kind.text(kind.new()))
    return path


class Both(Client):
    """A person who is an operator too, and asks as such for what is operators'."""

    def __init__(self, person: Client, operator: Client) -> None:
        super().__init__(person._http, person.origin, tokens=person.tokens)
        self._operator = operator

    def bearer(self, route: Route) -> bytes:
        """The header with the token that an operation takes."""
        tokens = self._operator.tokens if route.of_operators else self.tokens
        return b"Authorization: Bearer " + tokens["access_token"].encode()

    async def request(self, method: str, path: str, **rest: Any) -> Response:
        if path.startswith("/v1/admin/"):
            return await self._operator.request(method, path, **rest)
        return await super().request(method, path, **rest)


class Asking:
    """Asks one operation after another, and holds every answer to what is promised of refusals."""

    def __init__(self, client: Client, document: dict[str, Any]) -> None:
        self._client = client
        self._document = document
        self.seconds: list[float] = []

    async def refused(self, route: Route, data: bytes | None, *statuses: int, **headers: str) -> Response:
        """The answer to a body, which must be one of these statuses and documented."""
        started = time.perf_counter()
        answer = await self._client.request(
            route.method,
            path_of(route),
            data=data,
            headers={name.replace("_", "-"): text for name, text in headers.items()},
        )
        self.seconds.append(time.perf_counter() - started)
        told = (route.name, (data or b"")[:80], answer.status, answer.body[:300])
        assert answer.status in statuses, told
        assert answer.headers["content-type"] == "application/problem+json", told
        assert answer.json["request_id"] == answer.headers["x-request-id"], told
        assert len(answer.body) < 20_000, told
        assert str(answer.status) in self._document["paths"][route.path][route.method.lower()]["responses"], told
        return answer

    def done(self) -> None:
        """Half of all that was asked was answered within a tenth of a second."""
        assert self.seconds
        assert statistics.median(self.seconds) < 0.1
