"""What the tests of plugins share: distributions to install, and a house with a plugin in it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from memos.domain import domain as memos
from shelf import Shelf

from tenantry.assemble import DOMAINS
from tenantry.assemble import registry as build_registry
from tenantry.foundation import housekeeping
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, installed


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """Where distributions are put; what was imported from it is forgotten, and core answers its questions again."""
    before = set(sys.modules)
    folder = tmp_path / "shelf"
    folder.mkdir()
    yield Shelf(folder, monkeypatch)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    build_registry(())


@pytest.fixture(scope="session")
def with_memos() -> Registry:
    """Core and the plugin of these tests."""
    return Registry((*DOMAINS, memos), jobs=housekeeping)


@pytest.fixture(scope="session")
async def memo_databases(server_url: str) -> AsyncIterator[Databases]:
    """Databases in which the plugin has its tables."""
    databases = Databases(server_url, plugins=[memos])
    await databases.prepare()
    yield databases
    await databases.forget()


@pytest.fixture
async def memo_house(memo_databases: Databases, with_memos: Registry, tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation with the plugin."""
    async with memo_databases.fresh() as url, installed(url, tmp_path, registry=with_memos) as running:
        yield running
