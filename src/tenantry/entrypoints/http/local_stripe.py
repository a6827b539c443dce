"""The way to the local Stripe that `bin/dev` runs beside the API. Development on loopback only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint
from tenantry.entrypoints.http.loopback import loopback_only
from tenantry.entrypoints.http.reply import Reply
from tenantry.foundation.problems import NotFound
from tenantry.foundation.runtime import Runtime

HOST = "127.0.0.1"
PATIENCE = 1.0


def local_stripe_page(runtime: Runtime) -> Iterator[tuple[str, Endpoint]]:
    """The path, in development."""
    if runtime.settings.development:
        yield "/dev/stripe", _way_to(Path(runtime.settings.data) / "stripe" / "port")


def _way_to(file: Path) -> Endpoint:
    async def give(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        loopback_only(scope, arrival)
        port = await asyncio.to_thread(_remembered, file)
        # the port is remembered for the next start: only asking shows whether somebody is there now
        if port is None or not await _answers(port):
            raise NotFound
        return Reply(307, headers=[(b"location", f"http://{HOST}:{port}/".encode())])

    return give


def _remembered(file: Path) -> int | None:
    port = file.read_text().strip() if file.exists() else ""
    return int(port) if port.isdecimal() else None


async def _answers(port: int) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, OverflowError, TimeoutError):
        return False
    writer.close()
    return True
