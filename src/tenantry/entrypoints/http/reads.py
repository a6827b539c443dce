"""What is served beside the domains' routes: probes, the public keys and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint
from tenantry.entrypoints.http.reply import Reply, json_reply
from tenantry.foundation.problems import Unavailable
from tenantry.foundation.readiness import Readiness, State
from tenantry.foundation.runtime import Runtime


class NotReady(Unavailable):
    """This process cannot take traffic now; the members of this document say why."""

    code = "not_ready"


def constant(reply: Reply) -> Endpoint:
    """An endpoint that always gives the same reply."""

    async def give(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        return reply

    return give


def beside_the_domains(runtime: Runtime, document: dict[str, Any]) -> Iterator[tuple[str, Endpoint]]:
    """Each path and what answers there to GET."""
    readiness = Readiness(runtime)
    yield "/livez", constant(json_reply({"status": "alive"}))
    yield "/readyz", _readyz(readiness)
    yield "/healthz", _healthz(readiness)
    yield "/.well-known/jwks.json", _jwks(runtime)
    yield "/openapi.json", constant(json_reply(document))


def _readyz(readiness: Readiness) -> Endpoint:
    async def readyz(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        state = await readiness.state()
        if not state.ready:
            raise NotReady(more={"checks": state.checks, **_plugins(state)})
        return json_reply({"status": "ready", "checks": state.checks, **_plugins(state)})

    return readyz


def _healthz(readiness: Readiness) -> Endpoint:
    async def healthz(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        state = await readiness.state()
        return json_reply({"status": "ok" if state.well else "degraded", **state.checks, **_plugins(state)})

    return healthz


def _plugins(state: State) -> dict[str, Any]:
    """How the enabled plugins stand, where there are any."""
    return {"plugins": state.plugins} if state.plugins else {}


def _jwks(runtime: Runtime) -> Endpoint:
    async def jwks(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        # a database that is away hides no keys: the ring keeps itself fresh and knows the last ones
        if not runtime.keys.ready:
            await runtime.keys.refresh(urgent=True)
        return json_reply({"keys": runtime.keys.jwks}, caching=b"public, max-age=600")

    return jwks
