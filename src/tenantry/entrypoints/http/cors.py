"""Which other origins' pages may call from a browser: exactly those the operator listed, none by default."""

from __future__ import annotations

from collections.abc import Iterable

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.reply import Reply

_ALLOWED = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type, if-match, idempotency-key, last-event-id"),
    (b"access-control-max-age", b"600"),
)
_EXPOSED = (b"access-control-expose-headers", b"etag, retry-after, x-request-id, ratelimit, ratelimit-policy")
# of the same site alone: the cookie goes with no request of another site's page
_WITH_COOKIE = (b"access-control-allow-credentials", b"true")


class Cors:
    """The list of origins, and what a browser is told about them."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def preflight(self, arrival: Arrival) -> Reply | None:
        """The answer to a browser that asks first, if its origin is listed."""
        asks = arrival.method == "OPTIONS" and b"access-control-request-method" in arrival.headers
        if asks and arrival.headers.get(b"origin") in self._origins:
            return Reply(204, b"", list(_ALLOWED))
        return None

    def headers(self, arrival: Arrival) -> list[tuple[bytes, bytes]]:
        """What a browser needs to see to show the answer to a page of this origin."""
        if not self._origins:
            return []
        origin = arrival.headers.get(b"origin", b"")
        if origin not in self._origins:
            return [(b"vary", b"origin")]
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin"), _EXPOSED, _WITH_COOKIE]
