"""Whose page sent a request: told by what browsers say about it and no page can forge."""

from __future__ import annotations

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.runtime import Runtime

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


class CrossSite(Forbidden):
    """This came from a page of another site, which may not act in your name."""

    code = "cross_site"


def refuse_other_sites(runtime: Runtime, arrival: Arrival) -> None:
    """Let a change through that a page of ours, or of a listed origin, sent; whoever does not say is refused."""
    if arrival.headers.get(b"sec-fetch-site") == b"same-origin":
        return
    origin = arrival.header(b"origin")
    if origin != runtime.origin and origin not in runtime.settings.cors_origins:
        raise CrossSite
