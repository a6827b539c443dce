"""What the tests of the HTTP entry point share: one house a file, its document, and a domain that misbehaves."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from misbehaving import domain as misbehaving
from operations import Asking, Both

from tables import row_counts
from tenantry.assemble import DOMAINS
from tenantry.entrypoints.http import witness
from tenantry.foundation.domain import Registry
from tenantry.foundation.logs import configure_logs
from tenantry.testing import Client, Installation, installed


@pytest.fixture(scope="module")
async def ada(house: Installation) -> Both:
    """A person in that house, who is one of its operators."""
    person = await house.person()
    return Both(person, await house.operator(person=person))


@pytest.fixture(scope="module")
async def document(house: Installation) -> Any:
    """The OpenAPI document it serves."""
    return (await house.client.get("/openapi.json")).json


@pytest.fixture
async def troubled(database_url: str, tmp_path: Path, logged: StringIO) -> AsyncIterator[Installation]:
    """An installation with a domain of handlers that fail, and its request lines in the log."""
    seeing = witness.Witness(stream=logged)
    async with installed(database_url, tmp_path, registry=Registry((*DOMAINS, misbehaving)), witness=seeing) as running:
        yield running


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """Everything that is logged, as it would be in production."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = StringIO()
    configure_logs(level="debug", form="json", stream=stream)
    structlog.configure(cache_logger_on_first_use=False)
    monkeypatch.setattr(witness, "failures", structlog.get_logger("tenantry.http"))
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
async def nothing_changes(house: Installation, ada: Client) -> AsyncIterator[None]:
    """What happens in the test leaves as many rows in each table as there were."""
    assert ada.tokens
    before = await row_counts(house)
    yield
    assert await row_counts(house) == before


@pytest.fixture
async def asking(ada: Client, document: dict[str, Any]) -> AsyncIterator[Asking]:
    """Somebody signed in who asks."""
    somebody = Asking(ada, document)
    yield somebody
    somebody.done()
