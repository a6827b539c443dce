"""How often the routes before login may be asked, and that it tells nobody who has an account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from people import seen

from tenantry.accounts.actions.registration import RESENDS
from tenantry.accounts.inputs import LOGIN, LOGIN_SOURCE, REGISTER, REGISTER_SOURCE, RESEND_SOURCE, VERIFY_SOURCE
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.limits import RateLimited
from tenantry.testing import HandClock, Installation, Response, installed
from tenantry.testing.installation import PASSWORD

ROWS = "select key, full_at from tenantry.limits"
BEHIND_A_PROXY = {"TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8"}


@pytest.fixture
async def strict(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """An installation that counts, behind a proxy that says where each request comes from."""
    environ = {"TENANTRY_RATE_LIMITS": "on"} | BEHIND_A_PROXY | clock.environ
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as running:
        yield running


async def _ask(house: Installation, verb: str, source: str, **body: Any) -> Response:
    return await house.client.post(f"/v1/auth/{verb}", body, headers={"x-forwarded-for": source})


async def _register(house: Installation, email: str, source: str) -> Response:
    return await _ask(house, "register", source, email=email, password=PASSWORD, name="Ada")


async def _login(house: Installation, email: str, source: str) -> Response:
    return await _ask(house, "login", source, email=email, password="not the right one")


def _limited(answer: Response) -> bool:
    assert answer.code != "rate_limited" or answer.headers["ratelimit"].split(";")[1] == "r=0"
    return answer.code == "rate_limited"


async def test_an_address_is_registered_so_often_from_wherever_and_after_a_share_of_the_time_again(
    strict: Installation, clock: HandClock
) -> None:
    spellings = ["ada@example.com", "ADA@example.com", "ada@EXAMPLE.com"]
    for number in range(REGISTER.times):
        assert (await _register(strict, spellings[number % 3], f"192.0.2.{number}")).status == 202
    refused = await _register(strict, "ada@example.com", "192.0.2.99")
    assert _limited(refused)
    assert refused.headers["retry-after"] == "360"
    assert refused.headers["ratelimit"].startswith('"register";r=0;t=360, ')
    assert refused.headers["ratelimit-policy"].startswith('"register";q=10;w=3600, ')
    assert (await _register(strict, "bob@example.com", "192.0.2.99")).status == 202
    clock.advance(seconds=360)
    assert (await _register(strict, "ada@example.com", "192.0.2.99")).status == 202


async def test_a_source_registers_so_many_addresses_and_other_sources_are_untouched(strict: Installation) -> None:
    for number in range(REGISTER_SOURCE.times):
        assert (await _register(strict, f"person{number}@example.com", "192.0.2.1")).status == 202
    assert _limited(await _register(strict, "another@example.com", "192.0.2.1"))
    assert (await _register(strict, "another@example.com", "192.0.2.2")).status == 202


async def test_a_network_of_ipv6_addresses_is_one_source(strict: Installation) -> None:
    for number in range(RESEND_SOURCE.times):
        assert (await _ask(strict, "resend", f"2001:db8::{number:x}", email=f"p{number}@example.com")).status == 202
    assert _limited(await _ask(strict, "resend", "2001:db8::ffff:ffff:ffff:ffff", email="x@example.com"))
    assert (await _ask(strict, "resend", "2001:db8:0:1::1", email="x@example.com")).status == 202


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8"])
async def test_who_invents_sources_is_counted_by_the_real_one(
    database_url: str, registry: Registry, tmp_path: Path, proxies: str
) -> None:
    environ = {"TENANTRY_RATE_LIMITS": "on", "TENANTRY_TRUSTED_PROXIES": proxies}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as house:
        answers = [await _ask(house, "resend", f"192.0.2.{n}", email=f"p{n}@example.com") for n in range(25)]
    assert sum(map(_limited, answers)) == 25 - RESEND_SOURCE.times


async def test_a_developers_own_machine_is_no_source_but_still_counts_by_address(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    environ = {"TENANTRY_RATE_LIMITS": "remote", "TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8"}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as house:
        near = [await _ask(house, "resend", "127.0.0.1", email=f"p{n}@example.com") for n in range(25)]
        far = [await _ask(house, "resend", "192.0.2.1", email=f"p{n}@example.com") for n in range(25)]
        same = [await _register(house, "ada@example.com", "127.0.0.1") for _ in range(REGISTER.times + 1)]
    assert sum(map(_limited, near)) == 0
    assert sum(map(_limited, far)) == 25 - RESEND_SOURCE.times
    assert [_limited(answer) for answer in same] == [False] * REGISTER.times + [True]


async def test_sign_ins_are_counted_by_address_and_source_together_and_by_source(strict: Installation) -> None:
    answers = [await _login(strict, "ada@example.com", "192.0.2.1") for _ in range(LOGIN.times + 2)]
    assert [_limited(answer) for answer in answers] == [False] * LOGIN.times + [True] * 2
    # neither another address there nor the same one elsewhere is touched
    assert not _limited(await _login(strict, "bob@example.com", "192.0.2.1"))
    assert not _limited(await _login(strict, "ada@example.com", "192.0.2.2"))
    spread = [await _login(strict, f"p{number}@example.com", "192.0.2.1") for number in range(LOGIN_SOURCE.times)]
    # eleven were asked from there before; the two that were refused took no turn of the source
    assert sum(map(_limited, spread)) == LOGIN.times + 1


async def test_right_passwords_count_as_well_so_that_a_source_cannot_clear_its_failures(strict: Installation) -> None:
    ada = await strict.person("ada@example.com")
    for _ in range(LOGIN.times):
        answer = await _ask(strict, "login", "192.0.2.1", email=ada.email, password=PASSWORD)
        assert answer.status == 200
    assert _limited(await _ask(strict, "login", "192.0.2.1", email=ada.email, password=PASSWORD))


async def test_known_and_unknown_addresses_are_limited_alike(strict: Installation) -> None:
    ada = await strict.person("ada@example.com")
    for ask in (_login, _register):
        told = []
        for address, source in ((ada.email, "192.0.2.1"), ("nobody@example.com", "192.0.2.2")):
            # joining was one registration of the known address
            first = [] if ask is _login or address == ada.email else [await ask(strict, address, source)]
            assert not any(map(_limited, first))
            told.append([seen(await ask(strict, address, source)) for _ in range(12)])
        assert told[0] == told[1]
        assert told[0][-1][0] == 429


async def test_what_is_no_request_takes_no_turn(strict: Installation) -> None:
    for _ in range(3):
        assert (await _ask(strict, "login", "192.0.2.1", email="no address", password="x")).status == 422
        assert (await _ask(strict, "login", "192.0.2.1", email="ada@example.com")).status == 422
    assert await strict.rows(ROWS) == []


async def test_mailed_links_are_tried_so_often_from_a_source(strict: Installation) -> None:
    answers = [await _ask(strict, "verify-email", "192.0.2.1", token="x", registration="x") for _ in range(32)]
    assert sum(map(_limited, answers)) == 32 - VERIFY_SOURCE.times


@pytest.mark.parametrize("address", ["pending@example.com", "nobody@example.com"])
async def test_asking_again_too_often_for_an_address_is_answered_as_ever_and_nothing_is_sent(
    strict: Installation, clock: HandClock, address: str
) -> None:
    await _register(strict, "pending@example.com", "192.0.2.200")
    answers = [await _ask(strict, "resend", f"192.0.2.{number}", email=address) for number in range(6)]
    assert [seen(answer) for answer in answers] == [seen(answers[0])] * 6
    assert answers[0].status == 202
    assert len(await strict.recorded("accounts.verification_asked_again")) == RESENDS.times
    clock.advance(minutes=20)
    await _ask(strict, "resend", "192.0.2.1", email=address)
    assert len(await strict.recorded("accounts.verification_asked_again")) == RESENDS.times + 1


async def test_asking_again_too_often_from_a_source_is_refused_whatever_the_addresses(strict: Installation) -> None:
    answers = [await _ask(strict, "resend", "192.0.2.1", email=f"p{number}@example.com") for number in range(22)]
    assert sum(map(_limited, answers)) == 22 - RESEND_SOURCE.times


async def test_what_was_counted_names_neither_address_nor_source(strict: Installation) -> None:
    await _register(strict, "ada@example.com", "192.0.2.77")
    await _login(strict, "ada@example.com", "2001:db8::77")
    rows = await strict.rows(ROWS)
    assert len(rows) == 4
    for row in rows:
        assert len(row["key"]) == 22
        assert not any(part in row["key"] for part in ("ada", "example", "192", "2001", "db8"))


async def test_a_refusal_of_many_costs_no_hash(strict: Installation) -> None:
    for _ in range(LOGIN.times):
        await _login(strict, "ada@example.com", "192.0.2.1")
    hashed = strict.runtime.passwords.submitted
    assert _limited(await _login(strict, "ada@example.com", "192.0.2.1"))
    assert strict.runtime.passwords.submitted == hashed


async def test_routes_that_count_say_so_in_the_document(strict: Installation, registry: Registry) -> None:
    document = (await strict.client.get("/openapi.json")).json
    for route in registry.routes:
        answers = document["paths"][route.path][route.method.lower()]["responses"]
        told = answers.get("429", {}).get("content", {}).get("application/problem+json", {}).get("examples", {})
        # each counts by source at least; a verb may count by itself too, and says so among its route's refusals
        assert "rate_limited" in told, route.path
        assert RateLimited in route.problems or not route.limits, route.path
        assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= set(answers["429"]["headers"])
