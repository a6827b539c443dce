"""A Stripe of a few lines, and an installation that bills with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from billing_kit import TinyStripe, environ, tiny_stripe
from selling_kit import Shop, open_shop

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, installed


@pytest.fixture
async def tiny() -> AsyncIterator[TinyStripe]:
    """A Stripe of one's own."""
    async with tiny_stripe() as stripe:
        yield stripe


@pytest.fixture
async def billed(
    databases: Databases, registry: Registry, tmp_path: Path, tiny: TinyStripe
) -> AsyncIterator[Installation]:
    """An installation that bills with it."""
    async with (
        databases.fresh() as url,
        installed(url, tmp_path, registry=registry, environ=environ(tiny.base)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
async def billing_house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation that the tests of one file share, for what never gets as far as Stripe."""
    async with (
        databases.fresh() as url,
        installed(
            url, tmp_path_factory.mktemp("house"), registry=registry, environ=environ("http://127.0.0.1:9")
        ) as running,
    ):
        yield running


@pytest.fixture
async def shop(databases: Databases, registry: Registry, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop of one's own."""
    async with databases.fresh() as url, open_shop(url, tmp_path, registry) as open_:
        yield open_
