"""What this machine alone may see: the pages of development."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.foundation.problems import NotFound

FORWARDED = {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via"}


def loopback_only(scope: dict[str, Any], arrival: Arrival) -> None:
    """Live links are shown there, so that even a mistaken listener or tunnel shows them to this machine alone."""
    client = scope.get("client")
    if not client or not ip_address(client[0]).is_loopback or FORWARDED & arrival.headers.keys():
        raise NotFound
