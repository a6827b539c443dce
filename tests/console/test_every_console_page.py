"""Every page of the console: safe headers, scripts by nonce only, and forms that everybody can use."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from badly_named import POLYGLOT, badly_named
from tenantry.assemble import registry as build_registry
from tenantry.testing import Browser, Installation
from tenantry.testing.installation import PASSWORD

PAGES = [page for page in build_registry().pages if page.frame == "console"]
PATHS = sorted(page.path for page in PAGES)
OF_OPERATORS = {page.path for page in PAGES if page.shown.of_operators}
# shows nothing that anybody typed
BARE = {"/console/admin/login"}
# what the paths name, as it was made for these tests
NAMED: dict[str, str] = {}


class Outline(HTMLParser):
    """What matters of a page for whoever cannot see it, and for whoever would misuse it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: text or "" for name, text in attrs}))

    def of(self, *tags: str) -> list[dict[str, str]]:
        """The attributes of each element of some kinds."""
        return [attributes for name, attributes in self.tags if name in tags]


@pytest.fixture(scope="module")
async def browser(house: Installation) -> Browser:
    """A browser that is signed in as the owner of an organization with one of everything, badly named."""
    owner, ids = await badly_named(house)
    NAMED.update(ids)
    browser = await house.browser(agent=POLYGLOT).sign_in(owner.email, PASSWORD)
    await browser.visit("/console/admin")
    return await browser.submit(button="Sign in", email=owner.email, password=PASSWORD)


async def _page(browser: Browser, path: str) -> Outline:
    await browser.visit(path.format(**NAMED))
    assert browser.status == 200, browser.text
    return Outline(browser.sheet.html)


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_runs_what_its_nonce_names_and_nothing_else(browser: Browser, path: str) -> None:
    outline = await _page(browser, path)
    policy = browser.headers["content-security-policy"]
    [nonce] = re.findall(r"script-src 'nonce-([\w-]{24})';", policy)
    assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert browser.headers["cache-control"] == "no-store"
    assert browser.headers["referrer-policy"] == "same-origin"
    for script in outline.of("script"):
        assert script["nonce"] == nonce
        assert script["src"].startswith("/console/assets/")
    for tag, attributes in outline.tags:
        assert tag not in {"iframe", "object", "embed", "style", "img", "svg"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("path", sorted({*PATHS} - BARE))
async def test_what_people_typed_is_text(browser: Browser, path: str) -> None:
    await _page(browser, path)
    html = browser.sheet.html
    assert "&lt;svg onload=alert(1)&gt;" in html
    assert "<svg" not in html
    assert "49" not in re.findall(r"gt;(\d+)", html), "a template within what was typed was filled in"


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_can_be_used_by_ear_and_without_a_mouse(browser: Browser, path: str) -> None:
    outline = await _page(browser, path)
    assert outline.of("html")[0]["lang"] == "en"
    assert len(outline.of("h1")) == len(outline.of("title")) == len(outline.of("main")) == 1
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = {label["for"] for label in outline.of("label")}
    for field in outline.of("input", "select", "textarea"):
        if field.get("type") != "hidden":
            assert field.get("id") in labels or field.get("aria-label"), field
            assert set(field.get("aria-describedby", "").split()) <= set(ids)
    for heading in outline.of("th"):
        assert heading["scope"] in {"col", "row"}


async def test_a_page_of_an_organization_that_is_not_there_says_so_in_the_frame(browser: Browser) -> None:
    for path in PATHS:
        if "{org}" in path and path not in OF_OPERATORS:
            nowhere = path.format(**NAMED | {"org": "org_01jd4w2q8nf6v9m3x5c7b1r0kt"})
            await browser.visit(nowhere)
            assert browser.status == 404
            assert "alert" in browser.sheet.html


async def test_the_consoles_files_are_kept_for_ever_by_their_version(house: Installation, browser: Browser) -> None:
    outline = await _page(browser, "/console")
    places = [one["href"] for one in outline.of("link")] + [one["src"] for one in outline.of("script")]
    assert places
    for place in places:
        answer = await house.client.get(place)
        assert answer.status == 200, place
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        unversioned = await house.client.get(place.partition("?")[0])
        assert unversioned.headers["cache-control"] == "public, max-age=3600"
