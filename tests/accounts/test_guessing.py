"""Guessing passwords gets slower, whoever guesses, and never keeps the owner out for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from people import seen

from tenantry.foundation.domain import Registry
from tenantry.testing import HandClock, Installation, Response, installed
from tenantry.testing.installation import PASSWORD

STRANGER, HOME = "203.0.113.7", "198.51.100.20"


@pytest.fixture
async def proxied(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """An installation behind a proxy, so that a test can call from anywhere."""
    environ = clock.environ | {"TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8"}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as running:
        yield running


async def _try(house: Installation, email: str, password: str = "not the right one", *, at: str = STRANGER) -> Response:
    body = {"email": email, "password": password}
    return await house.client.post("/v1/auth/login", body, headers={"x-forwarded-for": at})


async def _statuses(house: Installation, email: str, times: int, *, at: str = STRANGER) -> list[int]:
    return [(await _try(house, email, at=at)).status for _ in range(times)]


async def test_from_the_fifth_wrong_password_on_the_next_one_waits_and_longer_each_time(
    proxied: Installation, clock: HandClock
) -> None:
    ada = await proxied.person()
    assert await _statuses(proxied, ada.email, 5) == [401] * 5
    for seconds in (1, 2, 4, 8):
        refused = await _try(proxied, ada.email)
        assert (refused.status, refused.code) == (429, "too_many_guesses")
        assert refused.headers["retry-after"] == str(seconds)
        clock.advance(seconds=seconds)
        assert (await _try(proxied, ada.email)).status == 401


async def test_no_wait_is_longer_than_a_quarter_of_an_hour(proxied: Installation, clock: HandClock) -> None:
    ada = await proxied.person()
    for _ in range(18):
        await _try(proxied, ada.email)
        clock.advance(minutes=15)
    assert (await _try(proxied, ada.email)).status == 401
    assert (await _try(proxied, ada.email)).headers["retry-after"] == "900"


async def test_who_is_told_to_wait_has_no_password_verified(proxied: Installation) -> None:
    ada = await proxied.person()
    await _statuses(proxied, ada.email, 5)
    hashed = proxied.runtime.passwords.submitted
    assert (await _try(proxied, ada.email, PASSWORD)).status == 429
    assert proxied.runtime.passwords.submitted == hashed


async def test_guesses_at_once_are_counted_one_by_one(proxied: Installation) -> None:
    ada = await proxied.person()
    answers = await asyncio.gather(*(_try(proxied, ada.email, at=f"203.0.113.{host}") for host in range(1, 9)))
    assert sum(answer.status == 401 for answer in answers) <= 5
    assert any(answer.status == 429 for answer in answers)


async def test_an_unknown_address_is_held_like_a_known_one(proxied: Installation) -> None:
    ada = await proxied.person()
    known = [seen(await _try(proxied, ada.email)) for _ in range(7)]
    unknown = [seen(await _try(proxied, "nobody@example.com")) for _ in range(7)]
    assert known == unknown
    assert {status for status, _, _ in known} == {401, 429}


async def test_the_right_password_from_a_place_the_person_knows_gets_in(proxied: Installation) -> None:
    ada = await proxied.person()
    assert (await _try(proxied, ada.email, PASSWORD, at=HOME)).status == 200
    await _statuses(proxied, ada.email, 6)
    assert (await _try(proxied, ada.email, PASSWORD, at=STRANGER)).status == 429
    assert (await _try(proxied, ada.email, PASSWORD, at=HOME)).status == 200


async def test_a_place_the_person_knows_is_held_too_when_it_guesses(proxied: Installation) -> None:
    ada = await proxied.person()
    await _try(proxied, ada.email, PASSWORD, at=HOME)
    assert await _statuses(proxied, ada.email, 6, at=HOME) == [401] * 5 + [429]


async def test_a_right_password_and_a_new_one_begin_the_count_anew(proxied: Installation) -> None:
    ada = await proxied.person()
    await _statuses(proxied, ada.email, 4)
    assert (await _try(proxied, ada.email, PASSWORD, at="203.0.113.9")).status == 200
    assert await _statuses(proxied, ada.email, 5) == [401] * 5
    await proxied.client.post("/v1/auth/forgot-password", {"email": ada.email})
    body = {"token": await proxied.mailed_token(ada.email), "password": "seven lanterns over the harbour"}
    assert (await proxied.client.post("/v1/auth/reset-password", body)).status == 200
    assert (await _try(proxied, ada.email, body["password"])).status == 200


async def test_a_wrong_password_counts_wherever_it_is_given(proxied: Installation) -> None:
    ada = await proxied.person()
    wrong = {"password": "not the right one", "new_password": "seven lanterns over the harbour"}
    from_afar = {"x-forwarded-for": STRANGER}
    for _ in range(5):
        answer = await ada.post("/v1/users/me/password", wrong, headers=from_afar)
        assert answer.status == 401
    assert (await ada.post("/v1/users/me/password", wrong, headers=from_afar)).status == 429
    assert (await _try(proxied, ada.email, PASSWORD)).status == 429
    await proxied.register("pending@example.com")
    token = await proxied.mailed_token("pending@example.com")
    given = {"token": token, "password": "not the right one"}
    answers = [await proxied.client.post("/v1/auth/verify-email", given, headers=from_afar) for _ in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]


async def test_after_a_day_without_another_the_count_begins_anew(proxied: Installation, clock: HandClock) -> None:
    ada = await proxied.person()
    await _statuses(proxied, ada.email, 5)
    clock.advance(hours=24, seconds=1)
    assert await _statuses(proxied, ada.email, 5) == [401] * 5


async def test_no_address_lies_in_the_counts(proxied: Installation) -> None:
    await _try(proxied, "secretive@example.com")
    ((row,),) = await proxied.rows("select g::text from tenantry.guesses g")
    assert "secretive" not in row
