"""A market of one's own for each test of insights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from insights_kit import Market, open_market

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases


@pytest.fixture
async def market(databases: Databases, registry: Registry, tmp_path: Path) -> AsyncIterator[Market]:
    """A market of one's own."""
    async with databases.fresh() as url, open_market(url, tmp_path, registry) as open_:
        yield open_
