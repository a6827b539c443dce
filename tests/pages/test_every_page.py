"""Every page: safe headers, no script, and a form that everybody can use."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tenantry.assemble import registry as build_registry
from tenantry.testing import Browser, Installation
from tenantry.testing.installation import PASSWORD

PATHS = sorted(page.path for page in build_registry().pages if page.frame == "account")
WITH_A_LINK = {"/account/verify", "/account/reset", "/account/email", "/account/invite"}
# pages that show what a link is about need one of something, and those of an organization need that
TOKENS: dict[str, str] = {}


class Outline(HTMLParser):
    """What matters of a page for whoever cannot see it, and for whoever would misuse it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: text or "" for name, text in attrs}))

    def of(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
async def browser(house: Installation) -> Browser:
    """A browser that is signed in."""
    person = await house.person(name='Ada <script>alert("1")</script> & Co')
    org = (await person.post("/v1/orgs", {"name": "<b>Acme</b> & Co"})).json["id"]
    await person.post(f"/v1/orgs/{org}/invites", {"email": "new@pages.example", "role": "member"})
    TOKENS["org"] = org
    TOKENS["/account/invite"] = await house.mailed_token("new@pages.example")
    browser = await house.browser(agent='<img src=x onerror="1">').visit("/account/login")
    await browser.submit(email=person.email, password=PASSWORD)
    return browser


async def _page(browser: Browser, path: str) -> Outline:
    place = path.format(org=TOKENS["org"])
    await browser.visit(f"{place}?token={TOKENS.get(path, 'something')}" if path in WITH_A_LINK else place)
    assert (browser.status, browser.path.partition("?")[0]) == (200, place), browser.text
    return Outline(browser.sheet.html)


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_runs_nothing_loads_nothing_of_others_and_is_framed_by_nobody(browser: Browser, path: str) -> None:
    outline = await _page(browser, path)
    policy = browser.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert browser.headers["referrer-policy"] == "same-origin"
    assert browser.headers["cache-control"] == "no-store"
    for tag, attributes in outline.tags:
        assert tag not in {"script", "iframe", "object", "embed", "style", "img"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for place in (attributes.get("href", ""), attributes.get("src", ""), attributes.get("action", "")):
            assert re.fullmatch(r"(?:[/#][^/]*(?:/[^/]+)*)?", place), place


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_can_be_used_by_ear_and_without_a_mouse(browser: Browser, path: str) -> None:
    outline = await _page(browser, path)
    assert outline.of("html")[0]["lang"] == "en"
    assert len(outline.of("h1")) == len(outline.of("title")) == len(outline.of("main")) == 1
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = {label["for"] for label in outline.of("label")}
    for field in outline.of("input"):
        if field["type"] != "hidden":
            assert field["id"] in labels, field
            assert field["autocomplete"]
            assert set(field.get("aria-describedby", "").split()) <= set(ids)
    assert all(form["method"] == "post" for form in outline.of("form"))


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_in_the_products_name(browser: Browser, path: str) -> None:
    await _page(browser, path)
    assert " - Tenantry Tenantry" in browser.text


async def test_what_was_wrong_is_tied_to_its_field(house: Installation) -> None:
    browser = await house.browser().visit("/account/register")
    await browser.submit(name="Ada", email="ada@tied.example", password="password123456")
    [field] = [one for one in Outline(browser.sheet.html).of("input") if one["name"] == "password"]
    assert field["aria-invalid"] == "true"
    assert "password-fault" in field["aria-describedby"].split()
    assert "value" not in field, "a password is never sent back"
    assert browser.sheet.forms[0].fields["email"] == "ada@tied.example"


async def test_a_link_that_lost_its_token_is_said_to_be_no_good(house: Installation) -> None:
    for path in ("/account/verify", "/account/reset", "/account/invite"):
        browser = await house.browser().visit(path)
        assert browser.status == 410
        assert "This link has been used, has expired, or is not one of ours" in browser.text


async def test_a_bad_link_is_refused_on_its_page(house: Installation) -> None:
    browser = await house.browser().visit("/account/reset?token=nonsense")
    await browser.submit(password="seven lanterns over the harbour")
    assert browser.status == 410
    assert "Ask for a new one" in browser.text


async def test_looking_at_pages_changes_nothing(house: Installation, browser: Browser) -> None:
    counts = "select (select count(*) from tenantry.events) as events, (select count(*) from tenantry.jobs) as jobs"
    before = await house.rows(counts)
    for path in PATHS:
        await _page(browser, path)
    assert await house.rows(counts) == before


async def test_a_form_of_another_kind_is_refused(house: Installation) -> None:
    sent = {"origin": house.origin}
    for kind, body, status in (
        ("application/json", b'{"email": "ada@example.com"}', 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("text/plain", b"email=ada@example.com", 415),
        ("application/x-www-form-urlencoded", b"email=a@b.example&email=c@d.example", 400),
        ("application/x-www-form-urlencoded", b"email=a%00b@b.example", 422),
        ("application/x-www-form-urlencoded", b"email=%ff", 400),
        ("application/x-www-form-urlencoded", b"email=ada@example.com&admin=1", 422),
        ("application/x-www-form-urlencoded", b"", 422),
        ("application/x-www-form-urlencoded", b"x" * 1_100_000, 413),
    ):
        answer = await house.client.request("POST", "/account/forgot", data=body, headers=sent | {"content-type": kind})
        assert answer.status == status, (kind, body[:30])
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_the_style_is_kept_by_browsers(house: Installation) -> None:
    answer = await house.client.get("/account/style.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=3600"
