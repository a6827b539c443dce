"""The one PostgreSQL of a run: every program under test gets its own empty database in it."""

from __future__ import annotations

import asyncio
import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import asyncpg

from bench.cores import Cores, pinned
from bench.processes import family, fine_cpu_seconds, reaped_cpu_seconds, stat

HOME = Path(__file__).resolve().parent.parent / ".tenantry" / "bench"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
SETTINGS = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "shared_buffers",
    "max_connections",
)


@dataclass(frozen=True)
class Address:
    """Where a database is, said in each driver's dialect."""

    user: str
    password: str
    host: str
    port: int
    name: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a libpq URL; the host may be a socket's folder in the query."""
        parts, query = (
            urlsplit(url),
            {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()},
        )
        return cls(
            user=unquote(parts.username or query.get("user", os.environ.get("USER", "postgres"))),
            password=unquote(parts.password or query.get("password", "")),
            host=unquote(parts.hostname or query.get("host", "localhost")),
            port=parts.port or int(query.get("port", 5432)),
            name=unquote(parts.path.lstrip("/")) or "postgres",
        )

    @property
    def url(self) -> str:
        """As libpq and asyncpg read it."""
        return self._url("postgresql", authority="", port_in_query=True)

    @property
    def sqlalchemy(self) -> str:
        """As SQLAlchemy's asyncpg dialect reads it."""
        return self._url("postgresql+asyncpg", authority="", port_in_query=True)

    @property
    def node(self) -> str:
        """As node-postgres reads it: the port stands in the authority, also for a socket."""
        return self._url("postgresql", authority=f"localhost:{self.port}", port_in_query=False)

    def _url(self, scheme: str, *, authority: str, port_in_query: bool) -> str:
        login = quote(self.user, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        if not self.host.startswith("/"):
            return f"{scheme}://{login}@{self.host}:{self.port}/{self.name}"
        port = f"&port={self.port}" if port_in_query else ""
        return f"{scheme}://{login}@{authority}/{self.name}?host={quote(self.host)}{port}"


class Postgres:
    """A running server as the bench sees it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        facts = asyncio.run(_facts(address))
        self.version: str = facts["version"]
        self.settings: dict[str, str] = facts["settings"]
        self.postmaster: int | None = facts["postmaster"]

    def fresh(self, name: str) -> Address:
        """An empty database of this name; an older one is dropped."""
        name = f"bench_{name}"
        asyncio.run(_recreate(self.address, name))
        return replace(self.address, name=name)

    def cpu_seconds(self) -> float:
        """CPU time of the postmaster and all of its processes, ended ones included."""
        if self.postmaster is None:
            return 0.0
        return reaped_cpu_seconds(self.postmaster) + sum(map(fine_cpu_seconds, family(self.postmaster)))


@contextmanager
def postgres(cores: Cores) -> Iterator[Postgres]:
    """The server of BENCH_DATABASE_URL if that is set, else an embedded one, durable, thrown away after."""
    if url := os.environ.get("BENCH_DATABASE_URL"):
        yield Postgres(Address.parse(url))
        return
    # late on purpose: with a server of one's own the embedded one need not exist
    embedded = importlib.import_module("tenantry.foundation.data.embedded")
    HOME.mkdir(parents=True, exist_ok=True)
    # beside the checkout, as a temporary folder may be memory, where durability costs nothing
    with tempfile.TemporaryDirectory(prefix="postgres-", dir=HOME, ignore_cleanup_errors=True) as folder:
        server = embedded.EmbeddedPostgres(Path(folder) / "postgres", durable=True)
        with pinned(cores.others):
            url = server.start()
        try:
            yield Postgres(Address.parse(str(url)))
        finally:
            server.stop()


async def _facts(address: Address) -> dict[str, Any]:
    connection: Any = await asyncpg.connect(address.url, timeout=10)
    try:
        return {
            "settings": {name: await connection.fetchval("select current_setting($1)", name) for name in SETTINGS},
            "version": await connection.fetchval("select current_setting('server_version')"),
            "postmaster": _parent(address, await connection.fetchval("select pg_backend_pid()")),
        }
    finally:
        await connection.close()


def _parent(address: Address, backend: int) -> int | None:
    # a server on another machine or in another pid namespace has no CPU figure here
    fields = stat(backend) if address.host.startswith("/") or address.host in LOOPBACK else []
    return int(fields[1]) if fields else None


async def _recreate(address: Address, name: str) -> None:
    connection = await asyncpg.connect(address.url, timeout=10)
    try:
        await connection.execute(f'drop database if exists "{name}" with (force)')
        await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()
