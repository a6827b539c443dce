"""The gate: the one ASGI wrapper around everything. Request id, host, one spelling a path, one error layer, one line of
log and one measurement a request.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from tenantry.entrypoints.http.arrival import Arrival, Reception
from tenantry.entrypoints.http.body import HungUp
from tenantry.entrypoints.http.cors import Cors
from tenantry.entrypoints.http.counting import count_source, settle_unproven, tell_limits
from tenantry.entrypoints.http.reply import Reply, problem_reply
from tenantry.entrypoints.http.streaming import Streams
from tenantry.entrypoints.http.witness import Witness
from tenantry.foundation.problems import Internal, Malformed, MethodNotAllowed, NotFound, Problem
from tenantry.foundation.runtime import Runtime

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
ARRIVAL, REPLY = "tenantry.arrival", "tenantry.reply"

SAFE: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class Gate:
    """An ASGI application that lets requests in to another one."""

    def __init__(
        self, app: App, runtime: Runtime, *, reception: Reception, cors: Cors, witness: Witness, streams: Streams
    ) -> None:
        self._app = app
        self._runtime = runtime
        self._streams = streams
        self._reception = reception
        self._cors = cors
        self._witness = witness
        self._always = (*SAFE, HSTS) if runtime.origin.startswith("https://") else SAFE

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _request(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        started = time.perf_counter()
        arrival = self._reception.read(scope)
        reply = await self._reply(scope, receive, arrival)
        start = {"type": "http.response.start", "status": reply.status, "headers": self._headers(reply, arrival)}
        if arrival.streamed and reply.streamed is not None:
            await self._streams.run(reply.streamed, arrival, start, receive, send)
        else:
            await send(start)
            await send({"type": "http.response.body", "body": b"" if arrival.method == "HEAD" else reply.body})
        self._witness.saw(arrival, reply.status, started)

    async def _reply(self, scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        try:
            if not arrival.probe:
                count_source(self._runtime, arrival)
            if arrival.problem is not None:
                raise arrival.problem
            if (preflight := self._cors.preflight(arrival)) is not None:
                return preflight
            return self._admitted(await self._inside(scope, receive, arrival), arrival)
        except Problem as problem:
            arrival.problem = problem
        except HungUp:
            # told to nobody if the client has left; but a chunk that is none looks the same, and it is still there
            arrival.problem = Malformed("The body ended before it was complete.")
        except Exception as error:  # noqa: BLE001  (the last layer: whatever it is, the client gets a document)
            arrival.problem, arrival.failure = Internal(), error
        finally:
            settle_unproven(self._runtime, arrival)
        return problem_reply(arrival.problem, arrival.request_id)

    async def _inside(self, scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        scope[ARRIVAL] = arrival
        said: list[int] = []

        async def overhear(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                said.append(message["status"])

        await self._app(scope, receive, overhear)
        if arrival.raised is not None:
            raise arrival.raised
        reply: Reply | None = scope.get(REPLY)
        if reply is None:
            # only the router speaks for itself, and only to refuse
            raise MethodNotAllowed if said == [405] else NotFound if said == [404] else Internal
        return reply

    def _admitted(self, reply: Reply, arrival: Arrival) -> Reply:
        """The reply, its stream with a place to run in; whoever asks for the headers only takes none."""
        if reply.streamed is not None and arrival.method != "HEAD":
            self._streams.admit(reply.streamed)
            arrival.streamed = True
        return reply

    def _headers(self, reply: Reply, arrival: Arrival) -> list[tuple[bytes, bytes]]:
        headers = [
            *reply.headers,
            *self._always,
            (b"cache-control", reply.caching),
            (b"content-security-policy", reply.policy),
            (b"referrer-policy", reply.referrer),
            (b"x-request-id", arrival.request_id.encode()),
        ]
        headers += self._cors.headers(arrival)
        tell_limits(self._runtime, arrival, headers)
        if arrival.cookie is not None:
            headers.append((b"set-cookie", arrival.cookie))
        if reply.status not in {304, 204} and reply.streamed is None:
            headers.append((b"content-length", b"%d" % len(reply.body)))
        return headers
