"""`/dev/stripe`: the way to the local Stripe of this folder, where there is one, for this machine alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from raw_http import RawAnswer, ask

from tenantry.testing import Installation
from tenantry.testing.stripe import local_stripe


@pytest.fixture
async def running(installation: Installation) -> AsyncIterator[str]:
    """A local Stripe whose port the folder of the installation remembers."""
    async with local_stripe() as one:
        _remember(installation, one.url.rpartition(":")[2])
        yield one.url


def _remember(house: Installation, port: str) -> None:
    file = Path(house.runtime.settings.data) / "stripe" / "port"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(port)


async def _opened(house: Installation, *headers: bytes) -> RawAnswer:
    return await ask(house.origin, b"GET", b"/dev/stripe", *headers)


async def test_it_leads_to_the_local_stripe(installation: Installation, running: str) -> None:
    answer = await _opened(installation)
    assert (answer.status, answer.header("location")) == (307, f"{running}/")


async def test_whoever_comes_through_a_proxy_does_not_find_it(installation: Installation, running: str) -> None:
    assert (await _opened(installation, b"X-Forwarded-For: 192.0.2.1")).status == 404


@pytest.mark.parametrize("port", ["9", "nonsense", "", "99999999"])
async def test_where_nobody_listens_there_is_nothing(installation: Installation, port: str) -> None:
    _remember(installation, port)
    answer = await _opened(installation)
    assert (answer.status, answer.json["code"]) == (404, "not_found")


async def test_where_there_never_was_one_there_is_nothing(installation: Installation) -> None:
    assert (await _opened(installation)).status == 404
