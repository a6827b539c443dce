"""What the tests of accounts share: a house that follows a clock set by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tenantry.foundation.domain import Registry
from tenantry.testing import HandClock, Installation, installed


@pytest.fixture
async def clocked(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """An installation that follows the clock set by hand."""
    async with installed(database_url, tmp_path, registry=registry, environ=clock.environ) as running:
        yield running
