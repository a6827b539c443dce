"""The account pages in a real browser: usable by everybody at every width, in the dark, and without scripts."""

from __future__ import annotations

import pytest
from watching import LOOKS, Look, Opening, Watched

from tenantry.assemble import registry as build_registry
from tenantry.testing import Client, Installation
from tenantry.testing.installation import PASSWORD

pytestmark = pytest.mark.slow
PATHS = sorted(page.path for page in build_registry().pages if page.frame == "account")
WITH_A_LINK = {"/account/verify", "/account/reset", "/account/email"}


@pytest.fixture(scope="module")
async def person(house: Installation) -> Client:
    """Somebody with an account."""
    return await house.person(name="Ada Lovelace-of-a-name-so-long-that-it-fits-on-no-telephone-at-all")


@pytest.fixture(scope="module")
async def invitation(house: Installation, person: Client) -> str:
    """The token of a mail that invites."""
    org = (await person.post("/v1/orgs", {"name": "Acme"})).json["id"]
    await person.post(f"/v1/orgs/{org}/invites", {"email": "new@chromium.example", "role": "member"})
    return await house.mailed_token("new@chromium.example")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.width}-{look.scheme}")
async def test_nothing_stands_in_anybodys_way(window: Opening, person: Client, invitation: str, look: Look) -> None:
    one = await window(look)
    await one.sign_in(person)
    found = {}
    for path in PATHS:
        token = invitation if path == "/account/invite" else "something" if path in WITH_A_LINK else ""
        assert await one.visit(f"{path}?token={token}" if token else path) == 200, path
        found[path] = await one.violations()
    assert not {path: told for path, told in found.items() if told}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.width}-{look.scheme}")
async def test_nor_does_a_refusal(window: Opening, look: Look) -> None:
    one = await window(look)
    await one.visit("/account/register")
    await one.page.fill("#name", "Ada")
    await one.page.fill("#email", "ada@refused.example")
    await one.page.fill("#password", "password123456")
    await one.page.click("main button")
    await one.page.wait_for_selector("[aria-invalid=true]")
    assert await one.violations() == []
    assert await one.visit("/account/reset") == 410
    assert await one.violations() == []


async def test_a_person_comes_and_goes_without_scripts(window: Opening, person: Client) -> None:
    one = await window(Look(360, scripts=False))
    await one.sign_in(person)
    await one.visit("/account/logout")
    await one.page.click("main button")
    await one.page.wait_for_url("**/account/login*")
    await one.visit("/account/devices")
    assert "/account/login" in one.page.url


async def test_a_person_signs_in_by_the_keyboard_alone_and_sees_where_they_are(window: Opening, person: Client) -> None:
    one = await window(Look())
    await one.visit("/account/login")
    await _tab_to(one, "email")
    await one.page.keyboard.type(person.email)
    await _tab_to(one, "password")
    await one.page.keyboard.type(PASSWORD)
    await one.page.keyboard.press("Enter")
    await one.page.wait_for_url("**/account")


async def _tab_to(one: Watched, name: str) -> None:
    for _ in range(20):
        await one.page.keyboard.press("Tab")
        at, outline = await one.page.evaluate(
            "() => [document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert outline != "none", f"{at} does not show that it has the focus"
        if at == name:
            return
    raise AssertionError(f"the keyboard does not get to {name}")
