"""Kills and failing neighbours: acknowledged stays, refused is absent, unknown is all or nothing.

The front door is `proxied`: a database URL that leads through the fault proxy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from .proxy import PostgresProxy, Upstream

# they assert as tests do, and say as much
pytest.register_assert_rewrite("faults.flow", "faults.flows", "faults.subscribing")


@asynccontextmanager
async def proxied(dsn: str, *, folder: Path | None = None, port: int = 0) -> AsyncIterator[tuple[PostgresProxy, str]]:
    """A proxy in front of a database URL, and the URL that leads through it."""
    proxy = PostgresProxy(upstream_of(dsn))
    port = await proxy.listen(folder=folder, port=port)
    try:
        yield proxy, _through(dsn, folder, port)
    finally:
        await proxy.close()


def upstream_of(dsn: str) -> Upstream:
    """Where a database URL leads: the path of a socket, or host and port."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    host, port = query.get("host") or parts.hostname, int(query.get("port") or parts.port or 5432)
    if host is None:
        raise ValueError("the database URL names no host")
    return Path(host) / f".s.PGSQL.{port}" if host.startswith("/") else (host, port)


def _through(dsn: str, folder: Path | None, port: int) -> str:
    parts = urlsplit(dsn)
    login = parts.netloc.rpartition("@")[0]
    query = {name: value for name, value in parse_qsl(parts.query) if name not in ("host", "port")}
    where = {"host": str(folder), "port": str(port)} if folder else {}
    host = "" if folder else f"127.0.0.1:{port}"
    return f"{parts.scheme}://{login}@{host}{parts.path}?{urlencode(query | where)}"
