"""An installation in one line: PostgreSQL, schema, plugins, server and people, all gone when the tests are over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tenantry.assemble import registry as build_registry
from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.testing.installation import Installation, installed
from tenantry.testing.postgres import Databases


class PluginsMissing(Exception):
    """A plugin that a test asked for is not in force; the sentence says why."""


@asynccontextmanager
async def scratch(*plugins: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Installation]:
    """An installation with the named plugins on a database of its own; `environ` adds settings."""
    registry = build_registry(plugins)
    if broken := [f"{one.name}: {one.state} {one.why}" for one in registry.plugins if one.state != "ok"]:
        raise PluginsMissing("; ".join(broken))
    with TemporaryDirectory(prefix="tenantry-scratch-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", durable=False)
        databases = Databases(await asyncio.to_thread(server.start), plugins=registry.domains)
        try:
            await databases.prepare()
            async with (
                databases.fresh() as url,
                installed(url, Path(folder), registry=registry, environ=environ) as running,
            ):
                yield running
        finally:
            await asyncio.to_thread(server.stop)
