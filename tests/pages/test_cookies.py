"""The cookie: how it is given, what it opens, and that no page of anybody else acts by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from tenantry.accounts.inputs import LOGIN
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.visits import IDLE
from tenantry.testing import Browser, Databases, Installation, Response, installed
from tenantry.testing.installation import PASSWORD

ELSEWHERE = {"x-forwarded-for": "203.0.113.9"}
LISTED = "https://app.example.com"
STRANGERS = [
    {},
    {"origin": "null"},
    {"origin": "https://evil.example"},
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"referer": "http://127.0.0.1/account"},
]


@pytest.fixture(scope="module")
async def behind(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation behind a proxy, so that somebody can come from elsewhere, with a front end on another host."""
    environ = {
        "TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8",
        "TENANTRY_CORS_ORIGINS": LISTED,
        "TENANTRY_APP_URL": f"{LISTED}/home",
    }
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("behind"), registry=registry, environ=environ) as running,
    ):
        yield running


async def _signed_in(house: Installation) -> tuple[Browser, str]:
    person = await house.person()
    browser = await house.browser().visit("/account/login")
    await browser.submit(email=person.email, password=PASSWORD)
    return browser, person.email


def _cookie(browser: Browser) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={text}" for name, text in browser.cookies.items())}


async def _rename(house: Installation, browser: Browser, **headers: str) -> Response:
    return await house.client.patch("/v1/users/me", {"name": "Renamed"}, headers=_cookie(browser) | headers)


async def test_the_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts(behind: Installation) -> None:
    person = await behind.person()
    form = f"email={person.email}&password={PASSWORD.replace(' ', '+')}".encode()
    sent = ELSEWHERE | {"origin": behind.origin, "content-type": "application/x-www-form-urlencoded"}
    answer = await behind.client.request("POST", "/account/login", data=form, headers=sent)
    assert answer.status == 303
    morsel = SimpleCookie(answer.headers["set-cookie"])["__Host-tenantry"]
    assert (morsel["path"], morsel["domain"], morsel["samesite"]) == ("/", "", "Lax")
    assert morsel["secure"]
    assert morsel["httponly"]
    assert int(morsel["max-age"]) == IDLE.total_seconds()
    opened = await behind.client.get("/v1/users/me", headers=ELSEWHERE | {"cookie": f"__Host-tenantry={morsel.value}"})
    assert opened.json["email"] == person.email
    # without the prefix anybody who can write cookies for a domain above could have put it there
    planted = await behind.client.get("/v1/users/me", headers=ELSEWHERE | {"cookie": f"tenantry={morsel.value}"})
    assert planted.status == 401


async def test_only_development_on_the_machine_itself_does_without_secure(house: Installation) -> None:
    browser, _ = await _signed_in(house)
    [given] = browser.set_cookies
    assert given.startswith("tenantry=")
    assert "Secure" not in given
    assert "HttpOnly; SameSite=Lax" in given


async def test_the_cookie_opens_the_api_to_ones_own_pages(house: Installation) -> None:
    browser, email = await _signed_in(house)
    assert (await house.client.get("/v1/users/me", headers=_cookie(browser))).json["email"] == email
    assert (await _rename(house, browser, origin=house.origin)).status == 200
    assert (await _rename(house, browser, **{"sec-fetch-site": "same-origin"})).status == 200


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
async def test_a_strangers_page_changes_nothing_by_it(house: Installation, stranger: dict[str, str]) -> None:
    browser, _ = await _signed_in(house)
    assert (await _rename(house, browser, **stranger)).code == "cross_site"
    assert (await house.client.get("/v1/users/me", headers=_cookie(browser))).json["name"] == "Ada Lovelace"
    out = await house.client.post("/v1/auth/logout", {"scope": "all"}, headers=_cookie(browser) | stranger)
    assert out.status == 401
    assert (await browser.visit("/account")).path == "/account"


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
async def test_a_strangers_page_sends_no_form_not_even_to_sign_somebody_in(
    house: Installation, stranger: dict[str, str]
) -> None:
    browser, email = await _signed_in(house)
    sent = stranger | {"content-type": "application/x-www-form-urlencoded"}
    form = f"email={email}&password={PASSWORD.replace(' ', '+')}".encode()
    signed_in = await house.client.request("POST", "/account/login", data=form, headers=sent)
    assert signed_in.status == 403
    assert "set-cookie" not in signed_in.headers
    out = await house.client.request("POST", "/account/logout", data=b"", headers=sent | _cookie(browser))
    assert out.status == 403
    assert (await browser.visit("/account")).path == "/account"


async def test_a_listed_front_end_on_the_same_site_may_use_the_cookie(behind: Installation) -> None:
    browser, email = await _signed_in(behind)
    front = {"origin": LISTED, "sec-fetch-site": "same-site"}
    answer = await behind.client.get("/v1/users/me", headers=_cookie(browser) | front)
    assert answer.json["email"] == email
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert (await _rename(behind, browser, **front)).status == 200


async def test_a_token_says_who_asks_whatever_the_cookie_says(house: Installation) -> None:
    browser, _ = await _signed_in(house)
    other = await house.person()
    me = await other.get("/v1/users/me", headers=_cookie(browser))
    assert me.json["email"] == other.email
    bad = await house.client.get("/v1/users/me", headers=_cookie(browser) | {"authorization": "Bearer nonsense"})
    assert bad.status == 401


async def test_signing_in_begins_a_session_of_its_own_and_ends_the_one_before(house: Installation) -> None:
    browser, email = await _signed_in(house)
    before = house.browser()
    before.cookies = dict(browser.cookies)
    await browser.visit("/account/login")
    await browser.submit(email=email, password=PASSWORD)
    assert browser.path == "/account"
    assert browser.cookies != before.cookies
    assert (await before.visit("/account")).path.startswith("/account/login"), "a planted cookie opens nothing"


async def test_a_refused_sign_in_leaves_the_browser_as_it_was(house: Installation) -> None:
    browser, email = await _signed_in(house)
    held = dict(browser.cookies)
    await browser.visit("/account/login")
    await browser.submit(email=email, password="wrong")
    assert (browser.status, browser.cookies) == (401, held)
    assert (await browser.visit("/account")).path == "/account"


async def test_what_is_no_cookie_of_ours_is_taken_away(house: Installation) -> None:
    browser, _ = await _signed_in(house)
    [(name, text)] = browser.cookies.items()
    tokens = (await house.person()).tokens
    forged = [text[:-1] + ("A" if text[-1] != "A" else "B"), "", "x", tokens["access_token"], tokens["refresh_token"]]
    forged += [text[:-4], text + "AAAA", "A" * len(text), text.swapcase()]
    for one in forged:
        answer = await house.client.get("/v1/users/me", headers={"cookie": f"{name}={one}"})
        assert answer.status == 401, one
        assert f"{name}=; Max-Age=0" in answer.headers["set-cookie"]
    twice = await house.client.get("/v1/users/me", headers={"cookie": f"{name}=x; {name}={text}"})
    assert twice.status == 401
    beside = await house.client.get("/v1/users/me", headers={"cookie": f"theme=dark; {name}={text}; other=1"})
    assert beside.status == 200


async def test_a_cookie_is_no_token(house: Installation) -> None:
    browser, _ = await _signed_in(house)
    [text] = browser.cookies.values()
    assert (await house.client.get("/v1/users/me", headers={"authorization": f"Bearer {text}"})).status == 401
    assert (await house.client.post("/v1/auth/refresh", {"refresh_token": text})).status == 401


async def test_signing_out_over_the_api_ends_the_browsers_session(house: Installation) -> None:
    browser, _ = await _signed_in(house)
    sent = _cookie(browser) | {"origin": house.origin}
    assert (await house.client.post("/v1/auth/logout", {"scope": "local"}, headers=sent)).status == 204
    over = await house.client.get("/v1/users/me", headers=_cookie(browser))
    assert over.code == "session_ended"
    assert "Max-Age=0" in over.headers["set-cookie"]


async def test_a_dead_cookie_does_not_keep_anybody_from_signing_in(house: Installation) -> None:
    browser, email = await _signed_in(house)
    held = dict(browser.cookies)
    await browser.visit("/account/logout")
    await browser.submit()
    browser.cookies = dict(held)
    await browser.visit("/account/login")
    await browser.submit(email=email, password=PASSWORD)
    assert browser.path == "/account"
    assert browser.cookies != held


async def test_after_signing_in_a_browser_is_led_to_no_strangers_page(house: Installation) -> None:
    _, email = await _signed_in(house)
    for onward in (
        "//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/account\nx: y", "evil",
        "/é", f"{house.origin}.evil.example/", "/\t/evil.example", "http:evil.example", "\\\\evil.example",
    ):  # fmt: skip
        browser = await house.browser().visit("/account/login")
        await browser.submit(email=email, password=PASSWORD, next=onward)
        assert browser.path == "/account", onward


async def test_the_products_own_front_end_is_where_signing_in_leads(behind: Installation) -> None:
    _, email = await _signed_in(behind)
    wanted = {"": f"{LISTED}/home", f"{LISTED}/home/deep?x=1": f"{LISTED}/home/deep?x=1", "/account": "/account"}
    wanted |= {f"{LISTED}.evil.example/home": f"{LISTED}/home", f"{LISTED}/homeless": f"{LISTED}/home"}
    for onward, lands in wanted.items():
        browser = await behind.browser().visit("/account/login")
        assert f"form-action 'self' {LISTED}" in browser.headers["content-security-policy"]
        await browser.submit(email=email, password=PASSWORD, next=onward)
        assert browser.path == lands


async def test_signing_in_by_the_page_counts_with_signing_in_by_the_api(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    environ = {"TENANTRY_RATE_LIMITS": "on"}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as strict:
        for _ in range(LOGIN.times):
            await strict.client.post("/v1/auth/login", {"email": "ada@count.example", "password": "wrong"})
        browser = await strict.browser().visit("/account/login")
        await browser.submit(email="ada@count.example", password="wrong")
        assert browser.status == 429
        assert int(browser.headers["retry-after"]) >= 1
        assert "This was asked for too often" in browser.text
