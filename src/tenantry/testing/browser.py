"""A browser without scripts, for tests of pages: it keeps cookies, follows links and fills in what a form shows."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
import msgspec

MOST_STEPS = 5
VOID = frozenset(("input", "link", "meta", "br", "option"))


class Form(msgspec.Struct):
    """A form as a page shows it: where it leads, its fields with what stands in them, and its boxes by name.

    `boxes` are the values that can be ticked, `ticked` those that are.
    """

    action: str
    method: str = "post"
    fields: dict[str, str] = {}
    boxes: dict[str, list[str]] = {}
    ticked: dict[str, list[str]] = {}
    required: set[str] = set()
    text: str = ""


class Sheet(HTMLParser):
    """A page as it was read: its forms, its links by their text, and all that a person reads on it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.words: list[str] = []
        self._href: str | None = None
        self._within = False
        self._filling: str | None = None
        self._begun = self._spelling = self._area = False
        self.feed(html)

    @property
    def text(self) -> str:
        """What a person reads on it."""
        return " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: text or "" for name, text in attrs}
        if tag == "form":
            self.forms.append(Form(given["action"], given["method"]))
            self._within = True
        elif tag == "a":
            self._href = given.get("href")
        elif tag == "input" and self._within and given.get("type") == "checkbox":
            self._box(given)
        elif tag == "input" and self._within and "disabled" not in given:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
            if "required" in given:
                self.forms[-1].required.add(given["name"])
        elif self._within:
            self._of_a_form(tag, given)

    def _box(self, given: Mapping[str, str]) -> None:
        form, name, value = self.forms[-1], given["name"], given.get("value", "on")
        if "disabled" not in given:
            form.boxes.setdefault(name, []).append(value)
            form.ticked.setdefault(name, [])
            if "checked" in given:
                form.ticked[name].append(value)

    def _of_a_form(self, tag: str, given: Mapping[str, str]) -> None:
        fields = self.forms[-1].fields
        if tag in {"select", "textarea"}:
            self._filling, self._begun, self._area = given["name"], False, tag == "textarea"
            fields[self._filling] = ""
        elif tag == "option" and self._filling is not None and not (self._begun and "selected" not in given):
            # the first is chosen where none is; its value is its text where it says none
            self._begun = True
            fields[self._filling] = given.get("value", "")
            self._spelling = "value" not in given
        elif tag == "button":
            self.forms[-1].text += given.get("aria-label", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._filling = None
        elif tag == "option":
            self._spelling = False
        elif tag == "form":
            self._within = False
        elif tag == "a":
            self._href = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._href is not None:
            self.links[data.strip()] = self._href
        if self._within:
            self.forms[-1].text += data
        if self._filling is not None and (self._spelling or self._area):
            self.forms[-1].fields[self._filling] += data.strip("\n")


class Browser:
    """One browser of one person: cookies of its own, and the page it is on."""

    def __init__(self, http: aiohttp.ClientSession, origin: str, *, agent: str = "Browser/1.0") -> None:
        self._http = http
        self.origin = origin
        self.agent = agent
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []
        self.headers: Mapping[str, str] = {}
        self.status = 0
        self.path = ""
        self.sheet = Sheet("")

    @property
    def text(self) -> str:
        """What a person reads on the page."""
        return self.sheet.text

    async def visit(self, path: str) -> Browser:
        """Go to a page, and on where it leads."""
        await self._go("GET", urljoin(self.origin, path))
        return self

    async def follow(self, text: str) -> Browser:
        """Follow the link with this text."""
        return await self.visit(self.sheet.links[text])

    async def submit(self, *, button: str | None = None, **filled: str | list[str]) -> Browser:
        """Fill in the page's form, the one with that button if there are several, and send it; a list is of boxes."""
        forms = [form for form in self.sheet.forms if button is None or button in form.text]
        assert forms, f"there is no such form on {self.path}: {self.text}"
        form = forms[0]
        known = form.fields.keys() | form.boxes.keys()
        assert filled.keys() <= known, f"{form.action} has no {filled.keys() - known}"
        unknown = [name for name, boxes in form.boxes.items() if not set(filled.get(name, ())) <= {*boxes}]
        assert not unknown, f"{form.action} has no such boxes of {unknown}"
        given = form.fields | form.ticked | filled
        empty = [name for name in form.required if not given[name]]
        assert not empty, f"a browser does not send {form.action} without {empty}"
        if form.method == "get":
            return await self.visit(f"{form.action}?{urlencode(given, doseq=True)}")
        await self._go("POST", urljoin(self.origin, form.action), urlencode(given, doseq=True).encode())
        return self

    async def sign_in(self, email: str, password: str) -> Browser:
        """Sign in as somebody who has an account."""
        await self.visit("/account/login")
        return await self.submit(email=email, password=password)

    async def _go(self, method: str, address: str, data: bytes | None = None) -> None:
        for _ in range(MOST_STEPS):
            onward = await self._step(method, address, data)
            if onward is None:
                return
            method, address, data = "GET", urljoin(address, onward), None
            if not address.startswith(self.origin):
                self.path = address
                return
        raise AssertionError(f"{address} leads in a ring")

    async def _step(self, method: str, address: str, data: bytes | None) -> str | None:
        async with self._http.request(
            method, address, data=data, headers=self._sent(method), allow_redirects=False
        ) as answer:
            body = await answer.read()
            self._keep(answer.headers.getall("set-cookie", []))
            self.headers = {name.lower(): text for name, text in answer.headers.items()}
            parts = urlsplit(address)
            self.status, self.path = answer.status, parts.path + (f"?{parts.query}" if parts.query else "")
            onward = answer.headers.get("location")
        if onward is None:
            self.sheet = Sheet(body.decode())
        return onward

    def _sent(self, method: str) -> dict[str, Any]:
        sent = {"user-agent": self.agent}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        if method == "POST":
            sent |= {
                "origin": self.origin,
                "sec-fetch-site": "same-origin",
                "content-type": "application/x-www-form-urlencoded",
            }
        return sent

    def _keep(self, given: list[str]) -> None:
        for line in given:
            self.set_cookies.append(line)
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
