"""Looking at people's accounts from the side: what an answer looks like to a stranger, what a database holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tenantry.testing import Response

# how much its own source has left says nothing of an address
OF_THE_MOMENT = {"date", "x-request-id", "ratelimit"}


def seen(answer: Response) -> tuple[int, dict[str, str], Any]:
    """All of an answer that could tell one address from another: what belongs to this one request is left out."""
    headers = {name: text for name, text in answer.headers.items() if name not in OF_THE_MOMENT}
    body = answer.json if answer.body else None
    if isinstance(body, dict):
        body = {name: "..." if name in {"request_id", "registration"} else content for name, content in body.items()}
    return answer.status, headers, body


def added(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """How many rows came to each table in between."""
    return {name: count - before[name] for name, count in after.items() if count != before[name]}


async def patiently(ask: Callable[[], Awaitable[Response]]) -> Response:
    """What a well-behaved client gets in the end: it asks again as long as it is told that the house is busy."""
    deadline = time.monotonic() + 20
    while (answer := await ask()).status == 503 and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return answer
