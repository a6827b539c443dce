"""A house with notes in it, on a PostgreSQL of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tenantry.testing import Installation, Team, scratch


@pytest.fixture(scope="session")
async def house() -> AsyncIterator[Installation]:
    """An installation with this plugin."""
    async with scratch("notes") as running:
        yield running


@pytest.fixture
async def team(house: Installation) -> Team:
    """An organization of one's own, with somebody in each role."""
    return await house.team()
