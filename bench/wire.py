"""Requests as bytes, and a plain client for the steps before a measurement."""

from __future__ import annotations

import http.client
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from bench.processes import BenchFailed

SERIAL = "@SERIAL-12@"  # twelve digits stand here when a request is sent, so each is another person
ADDRESS = "@CLIENT-ADDRESS@"  # another client address each time, for servers that count by address
_serials = itertools.count(1)


@dataclass(frozen=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @classmethod
    def json(cls, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Request:
        """A POST of a JSON document."""
        return cls("POST", path, {"Content-Type": "application/json", **(headers or {})}, json.dumps(body))

    def raw(self, port: int) -> str:
        """The request as sent; a serial's place counts as the twelve digits it becomes."""
        length = len(self.body.replace(SERIAL, "0" * 12).encode())
        headers = {"Host": f"127.0.0.1:{port}", **self.headers}
        if self.body:
            headers["Content-Length"] = str(length)
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, "", self.body])


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body as a JSON document."""
        return json.loads(self.body)


def send(port: int, request: Request, *, timeout: float = 10) -> Answer:
    """Send one request on a connection of its own."""
    serial = next(_serials)
    headers = {name: value.replace(ADDRESS, client_address(serial)) for name, value in request.headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(request.method, request.path, request.body or None, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def must(port: int, request: Request, *statuses: int) -> Answer:
    """Send a request whose answer has to be one of these."""
    answer = send(port, request)
    if answer.status not in statuses:
        raise BenchFailed(f"{request.method} {request.path}: {answer.status} {answer.body[:300]!r}")
    return answer


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200 by now."""
    try:
        return send(port, Request("GET", path), timeout=2).status == 200
    except (OSError, http.client.HTTPException):
        return False


def client_address(serial: int) -> str:
    """A private address for the n-th client."""
    return f"10.{serial >> 16 & 255}.{serial >> 8 & 255}.{serial & 255}"
