"""A house with a receiver that it may reach, which the tests of one file share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from receiving import Receiver
from webhook_kit import Hook, hooked, make_hook

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, Team


@pytest.fixture(scope="module")
async def reaching(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Installation, Receiver]]:
    """An installation, and a receiver on an address that it allows."""
    async with databases.fresh() as url, hooked(url, tmp_path_factory.mktemp("hooked"), registry) as found:
        yield found


@pytest.fixture
async def team(reaching: tuple[Installation, Receiver]) -> Team:
    """An organization with somebody in each role, in a house where nothing waits to be sent."""
    house, receiver = reaching
    receiver.answers.clear()
    receiver.always = (200, {})
    await house.deliver()
    await house.rows("delete from tenantry.webhook_due")
    receiver.heard.clear()
    return await house.team()


@pytest.fixture
async def hook(reaching: tuple[Installation, Receiver], team: Team) -> Hook:
    """An endpoint of that organization that wants to hear who joins."""
    house, receiver = reaching
    return await make_hook(house, team.owner, team.org, receiver.url, events=["member.joined"])
