"""The documentation page: Swagger UI from its package, so that it works without the internet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from html import escape
from typing import Any

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint
from tenantry.entrypoints.http.reads import constant
from tenantry.entrypoints.http.reply import Reply

# Swagger UI sets styles on elements; scripts come from here only
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{product}: API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null});\n'


def docs_pages(product: str) -> Iterator[tuple[str, Endpoint]]:
    """The page and the three files it needs."""
    yield "/docs", constant(_file("text/html", PAGE.format(product=escape(product)).encode()))
    yield "/docs/start.js", constant(_file("text/javascript", START.encode()))
    yield "/docs/swagger-ui.css", _packed("swagger-ui.css", "text/css")
    yield "/docs/swagger-ui-bundle.js", _packed("swagger-ui-bundle.js", "text/javascript")


def _file(kind: str, content: bytes) -> Reply:
    return Reply(200, content, [(b"content-type", f"{kind}; charset=utf-8".encode())], POLICY)


def _packed(name: str, kind: str) -> Endpoint:
    async def give(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        # late: a server that nobody asks for its documentation never opens the package
        from swagger_ui_bundle import swagger_ui_path  # noqa: PLC0415

        return _file(kind, await asyncio.to_thread((swagger_ui_path / name).read_bytes))

    return give
