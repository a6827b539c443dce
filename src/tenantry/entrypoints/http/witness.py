"""The witness: one line of log and one measurement for each request, taken once the answer is on its way.

The line is encoded here instead of going through structlog, which costs five times as much; its fields are the same.
Never in it: the path (a token could be part of one), the query, bodies, credentials.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
from prometheus_client import Counter, Histogram

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.foundation.logs import get_logger

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
requests = Counter("tenantry_http_requests", "Requests answered.", ("method", "route", "status"))
durations = Histogram("tenantry_http_request_seconds", "Time to answer.", ("method", "route"), buckets=BUCKETS)
failures = get_logger("tenantry.http")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Line(msgspec.Struct):
    """The line of one request."""

    at: datetime
    level: str
    event: str
    method: str
    route: str
    status: int
    ms: float
    request_id: str
    source: str
    actor: str
    problem: str | None = None


class Lines:
    """Lines on their way out: gathered for a moment, because a write for each costs more than making it.

    A process that is killed loses the lines of its last tenth of a second; the log is no audit.
    """

    MOMENT = 0.1

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []

    def write(self, line: bytes) -> None:
        """Let a line out soon."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(self.MOMENT, self.flush)
        self._waiting.append(line)

    def flush(self) -> None:
        """Let everything out now."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._stream.write(b"\n".join(waiting).decode() + "\n")
            self._stream.flush()


class Witness:
    """Sees every answer."""

    def __init__(self, *, lines: bool = True, stream: TextIO | None = None) -> None:
        self._lines = Lines(stream or sys.stderr) if lines else None
        self._bound: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        self._encode = msgspec.json.Encoder().encode

    def saw(self, arrival: Arrival, status: int, started: float) -> None:
        """Count, time and write down one request."""
        seconds = time.perf_counter() - started
        # what is not a method of ours is counted together: a stranger must not be able to make new time series
        method = arrival.method if arrival.method in METHODS else "OTHER"
        key = (method, arrival.route, status)
        counter, duration = self._bound.get(key) or self._bind(key)
        counter.inc()
        # a stream lasts as long as it is read: it tells nothing about how quickly anything is answered
        if not arrival.streamed:
            duration.observe(seconds)
        if self._lines is not None:
            self._lines.write(self._line(arrival, method, status, seconds))
        if arrival.failure is not None:
            error = arrival.failure
            failures.error("failed", request_id=arrival.request_id, route=arrival.route, exc_info=error)

    def close(self) -> None:
        """Let the last lines out."""
        if self._lines is not None:
            self._lines.flush()

    def _bind(self, key: tuple[str, str, int]) -> tuple[Any, Any]:
        method, route, status = key
        bound = (requests.labels(method, route, str(status)), durations.labels(method, route))
        self._bound[key] = bound
        return bound

    def _line(self, arrival: Arrival, method: str, status: int, seconds: float) -> bytes:
        line = Line(
            datetime.now(UTC),
            "error" if status >= 500 else "info",
            "stream" if arrival.streamed else "request",
            method,
            arrival.route,
            status,
            round(seconds * 1000, 3),
            arrival.request_id,
            arrival.source,
            arrival.actor,
            arrival.problem.code if arrival.problem else None,
        )
        return self._encode(line)
