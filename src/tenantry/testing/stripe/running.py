"""Ways to the local Stripe: as an ASGI application to be mounted, and as a server of its own on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tenantry.testing.stripe.server import Answer, LocalStripe, Request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
LARGEST = 1 << 20


def asgi(stripe: LocalStripe, mounted_at: str = "") -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The local Stripe as an ASGI application; `mounted_at` is the path it stands under, if the scope does not say."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("the local Stripe answers HTTP requests only")
        answer = await stripe.answer(await _request(scope, receive, mounted_at))
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        # an ASGI server cannot be told to cut a connection: 502 stands for it
        await send({"type": "http.response.start", "status": answer.status or 502, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    return application


async def _request(scope: Scope, receive: Receive, mounted_at: str) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    root = scope.get("root_path", "") or mounted_at
    path = str(scope["path"]).removeprefix(root)
    base = f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}{root}"
    query = scope.get("query_string", b"").decode("latin-1")
    return Request(scope["method"], path or "/", query, headers, await _body(receive), base.rstrip("/"))


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) <= LARGEST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


@dataclass(slots=True)
class Running:
    """A local Stripe that listens: where, by which key, and its handles."""

    url: str
    secret_key: str
    stripe: LocalStripe


@asynccontextmanager
async def local_stripe(stripe: LocalStripe | None = None, *, port: int = 0, **given: Any) -> AsyncIterator[Running]:
    """A local Stripe on a port of the loopback, any free one for 0; `given` is what LocalStripe takes."""
    one = stripe or LocalStripe(**given)
    application = web.Application(client_max_size=LARGEST)
    application.router.add_route("*", "/{path:.*}", _handler(one))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with one:
            yield Running(f"http://{host}:{port}", one.secret_key, one)
    finally:
        await runner.cleanup()


def _handler(stripe: LocalStripe) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        base = f"{request.scheme}://{request.host}"
        body = await request.read()
        answer = await stripe.answer(Request(request.method, request.path, request.query_string, headers, body, base))
        return _response(request, answer)

    return handle


def _response(request: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.status == 0 and request.transport is not None:
        request.transport.abort()
    return web.Response(status=answer.status or 502, headers=answer.headers, body=answer.body)
