"""A house with notes in it, on a PostgreSQL of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tenantry.testing import Installation, Team, scratch

PLANS = """
default = "free"
features = { note_imports = "Imports of notes" }
limits = { notes = "Notes" }

[[plans]]
key = "free"
name = "Free"
features = ["note_imports"]

[[plans]]
key = "small"
name = "Small"
limits = { notes = 3 }

[[plans]]
key = "import"
name = "Import"
features = ["note_imports"]
limits = { notes = 3 }
"""


@pytest.fixture(scope="session")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where there is a plan with everything, and two with room for three notes, of which one imports them."""
    place = tmp_path_factory.mktemp("plans") / "plans.toml"
    place.write_text(PLANS, encoding="utf-8")
    return str(place)


@pytest.fixture(scope="session")
def told() -> list[dict[str, Any]]:
    """What a customer was told by webhooks."""
    return []


@pytest.fixture(scope="session")
async def receiver(told: list[dict[str, Any]]) -> AsyncIterator[TestServer]:
    """Where a customer is told."""

    async def hear(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", hear)
    async with TestServer(app) as server:
        yield server


@pytest.fixture(scope="session")
async def house(plan_file: str, receiver: TestServer) -> AsyncIterator[Installation]:
    """An installation with this plugin, with plans, and with a receiver that it may reach."""
    environ = {"TENANTRY_PLAN_FILE": plan_file, "TENANTRY_EGRESS_ALLOW": f"127.0.0.1:{receiver.port}"}
    async with scratch("notes", environ=environ) as running:
        yield running


@pytest.fixture
async def team(house: Installation) -> Team:
    """An organization of one's own, with somebody in each role."""
    return await house.team()
