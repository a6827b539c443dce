"""The console in a real browser: its pages for members and operators, at every width, in the dark, without scripts."""

from __future__ import annotations

import pytest
from watching import LOOKS, Look, Opening

from badly_named import badly_named
from tenantry.assemble import registry as build_registry
from tenantry.testing import Client, Installation
from tenantry.testing.installation import PASSWORD

pytestmark = pytest.mark.slow
PAGES = [page for page in build_registry().pages if page.frame == "console" and page.path != "/console/admin/login"]
OF_MEMBERS = sorted(page.path for page in PAGES if not page.shown.of_operators)
OF_OPERATORS = sorted(page.path for page in PAGES if page.shown.of_operators)
NAMED: dict[str, str] = {}


@pytest.fixture(scope="module")
async def owner(house: Installation) -> Client:
    """The owner of an organization with one of everything, badly named, who is an operator as well."""
    owner, ids = await badly_named(house)
    NAMED.update(ids)
    return owner


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.width}-{look.scheme}")
async def test_an_owner_finds_nothing_in_their_way(window: Opening, owner: Client, look: Look) -> None:
    one = await window(look)
    await one.sign_in(owner)
    found = {}
    for path in OF_MEMBERS:
        assert await one.visit(path.format(**NAMED)) == 200, path
        found[path] = await one.violations()
    assert not {path: told for path, told in found.items() if told}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.width}-{look.scheme}")
async def test_nor_does_an_operator(window: Opening, owner: Client, look: Look) -> None:
    one = await window(look)
    found = {}
    await one.visit("/console/admin")
    found["/console/admin/login"] = await one.violations()
    await one.page.fill("#email", owner.email)
    await one.page.fill("#password", PASSWORD)
    await one.page.click("main button")
    await one.page.wait_for_url("**/console/admin")
    for path in OF_OPERATORS:
        assert await one.visit(path.format(**NAMED)) == 200, path
        found[path] = await one.violations()
    assert not {path: told for path, told in found.items() if told}


async def test_an_owner_names_invites_and_makes_a_key_without_scripts(window: Opening, house: Installation) -> None:
    one = await window(Look(360, scripts=False))
    person = await house.person()
    await one.sign_in(person)
    await one.visit("/console")
    await one.page.fill("#name", "Without Scripts")
    await one.page.click("main form button:has-text('Found it')")
    await one.page.wait_for_url("**/console/orgs/*")
    here = one.page.url
    await one.page.goto(f"{here}/invites")
    await one.page.fill("#email", "friend@without-scripts.example")
    await one.page.click("main form button:has-text('Send the invite')")
    assert await one.page.locator("main").get_by_text("friend@without-scripts.example").count() >= 1
    await one.page.goto(f"{here}/api-keys/new")
    await one.page.fill("#name", "a key")
    await one.page.check("main input[type=checkbox] >> nth=0")
    await one.page.click("main form button:has-text('Make the key')")
    assert (await one.page.locator("#secret").input_value()).startswith("tnt_")
    await one.page.goto(f"{here}/api-keys")
    assert await one.page.locator("#secret").count() == 0


async def test_the_first_key_leads_past_the_menu(window: Opening, owner: Client) -> None:
    one = await window(Look())
    await one.sign_in(owner)
    await one.visit(f"/console/orgs/{NAMED['org']}/members")
    await one.page.keyboard.press("Tab")
    skip = one.page.locator(".skip")
    assert await skip.evaluate("link => link === document.activeElement")
    assert (await skip.bounding_box() or {"x": -1})["x"] >= 0
    await one.page.keyboard.press("Enter")
    assert await one.page.evaluate("document.activeElement.id") == "main"
