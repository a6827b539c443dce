"""What every table holds, for tests that nothing was stored, or as much for one as for another."""

from __future__ import annotations

from typing import Any

import asyncpg

from tenantry.testing import Installation


async def row_counts(installation: Installation) -> dict[str, int]:
    """How many rows each table holds."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(installation.runtime.database.url)
    try:
        tables = await connection.fetch(
            "select format('tenantry.%I', relname) as name from pg_class"
            " where relnamespace = 'tenantry'::regnamespace and relkind in ('r', 'p') and not relispartition"
        )
        # as the house, because its owner too sees nothing behind forced row security
        await connection.execute("set role tenantry_system")
        counts = {row["name"]: await connection.fetchval(f"select count(*) from {row['name']}") for row in tables}
        assert counts["tenantry.signing_keys"] == 1
        return counts
    finally:
        await connection.close()
