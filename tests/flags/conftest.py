"""A house with plans whose flags the tests of one file share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation
from tenantry.testing.installation import installed

PLANS = """
default = "free"

[features]
sso = "Single sign-on"

[[plans]]
key = "free"
name = "Free"

[[plans]]
key = "pro"
name = "Pro"
features = ["sso"]
"""


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with two plans."""
    folder = tmp_path_factory.mktemp("flags")
    (folder / "plans.toml").write_text(PLANS)
    environ = {"TENANTRY_PLAN_FILE": str(folder / "plans.toml")}
    async with (
        databases.fresh() as url,
        installed(url, folder, registry=registry, environ=environ) as running,
    ):
        yield running
