"""Pages of other origins: those the operator lists, exactly, and none by default."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, installed

LISTED = "https://app.example.com"
STRANGERS = [
    "https://evil.example",
    "null",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://APP.example.com",
    "https://app.example.com/",
    "https://evil-app.example.com",
    "*",
    "",
]
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}


@pytest.fixture(scope="module")
async def open_house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """A house that two origins may call from."""
    origins = {"TENANTRY_CORS_ORIGINS": f"{LISTED}, http://localhost:5173"}
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("cors"), registry=registry, environ=origins) as running,
    ):
        yield running


@pytest.mark.parametrize("origin", [LISTED, "http://localhost:5173"])
async def test_a_listed_origin_may_read_the_answer(open_house: Installation, origin: str) -> None:
    for path in ("/livez", "/v1/users/me", "/nothing"):
        headers = (await open_house.client.get(path, headers={"origin": origin})).headers
        assert headers["access-control-allow-origin"] == origin
        assert "x-request-id" in headers["access-control-expose-headers"]
        assert headers["vary"] == "origin"
        assert headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_stranger_may_not(open_house: Installation, house: Installation, origin: str) -> None:
    for running in (open_house, house):
        answer = await running.client.get("/livez", headers={"origin": origin})
        preflight = await running.client.request("OPTIONS", "/v1/auth/login", headers=PREFLIGHT | {"origin": origin})
        assert preflight.status == 405
        for headers in (answer.headers, preflight.headers):
            assert not [name for name in headers if name.startswith("access-control")]


async def test_by_default_nobody_may(house: Installation) -> None:
    answer = await house.client.get("/livez", headers={"origin": LISTED})
    assert "access-control-allow-origin" not in answer.headers


async def test_a_listed_origin_is_told_what_it_may_send_before_anything_is_asked_of_it(
    open_house: Installation,
) -> None:
    headers = PREFLIGHT | {"origin": LISTED}
    for path in ("/v1/auth/login", "/v1/users/me"):
        answer = await open_house.client.request("OPTIONS", path, headers=headers)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == LISTED
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"]
        assert "x-request-id" in answer.headers


async def test_a_cache_between_keeps_the_answers_to_different_origins_apart(open_house: Installation) -> None:
    keys = "/.well-known/jwks.json"
    assert (await open_house.client.get(keys)).headers["vary"] == "origin"
    assert (await open_house.client.get(keys, headers={"origin": LISTED})).headers["vary"] == "origin"
