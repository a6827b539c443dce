"""Metrics on the main port, for the bearer of the token."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint
from tenantry.entrypoints.http.reply import Reply
from tenantry.entrypoints.ops import collected
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.security.secret import Secret


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
