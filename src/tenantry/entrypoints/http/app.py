"""The ASGI application: Litestar for lifespan and routing, our endpoints behind it, the gate around it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, cast

from litestar import Litestar
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from tenantry.entrypoints.console.assets import console_assets
from tenantry.entrypoints.console.serving import console
from tenantry.entrypoints.http.arrival import LOOPBACK, Arrival, Reception
from tenantry.entrypoints.http.cookies import take_dead_visit
from tenantry.entrypoints.http.cors import Cors
from tenantry.entrypoints.http.docs import docs_pages
from tenantry.entrypoints.http.endpoint import Endpoint, endpoint
from tenantry.entrypoints.http.gate import ARRIVAL, REPLY, App, Gate
from tenantry.entrypoints.http.local_stripe import local_stripe_page
from tenantry.entrypoints.http.mailbox import mailbox_pages
from tenantry.entrypoints.http.metrics import metrics_page
from tenantry.entrypoints.http.openapi import describe
from tenantry.entrypoints.http.pages.serving import pages
from tenantry.entrypoints.http.reads import beside_the_domains
from tenantry.entrypoints.http.streaming import Streams
from tenantry.entrypoints.http.witness import Witness
from tenantry.foundation.denials import settle
from tenantry.foundation.domain import Registry
from tenantry.foundation.problems import MethodNotAllowed
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.key_use import settle_uses

Operations = dict[str, Endpoint]
_PARAMETER = re.compile(r"\{(\w+)\}")


def build_app(runtime: Runtime, registry: Registry, *, witness: Witness | None = None) -> Gate:
    """The application of one process; connecting happens in its lifespan."""
    settings = runtime.settings
    witness = witness or Witness(lines=settings.log_level in {"debug", "info"})
    streams = Streams(runtime)
    router = Litestar(
        [_handler(path, operations, runtime) for path, operations in _paths(runtime, registry).items()],
        lifespan=[_life(runtime, streams, witness)],
        openapi_config=None,
        logging_config=None,
    )
    _mend(router.asgi_router.root_route_map_node)
    hosts = settings.allowed_hosts or (LOOPBACK if settings.development else ())
    return Gate(
        cast(App, router),
        runtime,
        reception=Reception(hosts=hosts, proxies=settings.trusted_proxies),
        cors=Cors(settings.cors_origins),
        witness=witness,
        streams=streams,
    )


def _paths(runtime: Runtime, registry: Registry) -> dict[str, Operations]:
    paths: dict[str, Operations] = {}
    for route in registry.routes:
        paths.setdefault(route.path, {})[route.method] = endpoint(route, runtime)
    document = describe(registry, runtime.settings)
    for path, reader in chain(
        beside_the_domains(runtime, document),
        docs_pages(runtime.settings.product_name),
        mailbox_pages(runtime),
        local_stripe_page(runtime),
        metrics_page(runtime.settings.metrics_token),
        console_assets(),
    ):
        paths.setdefault(path, {})["GET"] = reader
    return paths | dict(pages(registry, runtime)) | dict(console(registry, runtime))


def _handler(path: str, operations: Operations, runtime: Runtime) -> ASGIRouteHandler:
    allowed = _allowed(operations)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        # Litestar's scope types know no members but its own
        request = cast(dict[str, Any], scope)
        arrival: Arrival = request[ARRIVAL]
        arrival.route = path
        perform = operations.get("GET" if arrival.method == "HEAD" else arrival.method)
        if perform is None:
            arrival.raised = MethodNotAllowed(headers={"allow": allowed})
            return
        try:
            request[REPLY] = await perform(request, receive, arrival)
        except Exception as error:  # noqa: BLE001  (carried past Litestar, which would answer it, to the gate)
            take_dead_visit(runtime, arrival, error)
            arrival.raised = error

    handle.__name__ = handle.__qualname__ = f"handle {path}"
    return ASGIRouteHandler(_PARAMETER.sub(r"{\1:str}", path), copy_scope=False)(handle)


class _OfEveryMethod(dict[Any, Any]):
    def __missing__(self, method: str) -> Any:
        return self["asgi"]


def _mend(node: Any) -> None:
    # Litestar 2.25 keeps the path parameters of an ASGI handler under "asgi" and looks them up by the request's method
    if "asgi" in node.path_parameters:
        node.path_parameters = _OfEveryMethod(node.path_parameters)
    for child in node.children.values():
        _mend(child)


def _allowed(operations: Iterable[str]) -> str:
    return ", ".join(sorted({*operations, *(["HEAD"] if "GET" in operations else [])}))


def _life(runtime: Runtime, streams: Streams, witness: Witness) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def life(_: Litestar) -> AsyncIterator[None]:
        await runtime.start()
        streams.start()
        try:
            yield
        finally:
            await streams.stop()
            await settle(runtime)
            await settle_uses(runtime)
            await runtime.stop()
            witness.close()

    return life
