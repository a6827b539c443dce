"""The server alone: an ASGI application that answers the same bytes to everybody."""

from __future__ import annotations

from typing import Any

BODY = (
    b'{"id":"usr_01","email":"ada@example.com","name":"Ada","locale":"en","timezone":"UTC",'
    b'"created_at":"2026-01-01T00:00:00Z"}'
)
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})
