"""Metrics: Prometheus' text, on a listener of their own, or on the main port for the bearer of the token."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint
from tenantry.entrypoints.http.reply import Reply
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.security.secret import Secret

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def collected() -> bytes:
    """The metrics of every process of this server."""
    if FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def metrics_page(token: Secret[str] | None) -> Iterator[tuple[str, Endpoint]]:
    """The path on the main port; without a token in the settings there is none."""
    if token is None:
        return
    expected = b"Bearer " + token.reveal().encode()

    async def give(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        if not hmac.compare_digest(arrival.headers.get(b"authorization", b""), expected):
            raise Unauthenticated
        return Reply(200, collected(), [(b"content-type", CONTENT_TYPE_LATEST.encode())])

    yield "/metrics", give
