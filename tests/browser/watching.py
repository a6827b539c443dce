"""A page in a real browser, watched: what nobody should meet there is noted as a fault."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import msgspec
from playwright.async_api import Browser, ConsoleMessage, Dialog, Page, Request, Response

from tenantry.testing import Client
from tenantry.testing.installation import PASSWORD

WITHIN = 15_000
"""Milliseconds that a page may take for anything."""
# a page that is refused is said to be so on the console, too; what else could not be had is noted by its answer
NOT_HAD = "Failed to load resource"
RUN_AXE = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
# the page itself, not what is scrolled within it
BEYOND = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Look(msgspec.Struct, frozen=True):
    """How somebody looks at pages."""

    width: int = 1440
    scheme: Literal["light", "dark"] = "light"
    scripts: bool = True


LOOKS = [Look(width, scheme) for width in (1440, 360) for scheme in ("light", "dark")]


class Watched:
    """A browser's window at a house: its page, and what went wrong there.

    A question that is in `agreed` is answered with yes; any other dialog is a fault.
    """

    def __init__(self, page: Page, origin: str, axe: str) -> None:
        self.page = page
        self.faults: list[str] = []
        self.agreed: set[str] = set()
        self._origin, self._axe = origin, axe
        page.on("dialog", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"a script broke: {error}"))
        page.on("request", self._wanted)
        page.on("response", self._answered)

    async def visit(self, path: str) -> int:
        """Go to a page; the status of its answer."""
        answer = await self.page.goto(self._origin + path)
        assert answer is not None, path
        return answer.status

    async def sign_in(self, person: Client) -> None:
        """Sign in by the page, as somebody who has an account."""
        await self.visit("/account/login")
        await self.page.fill("#email", person.email)
        await self.page.fill("#password", PASSWORD)
        await self.page.click("main button")
        await self.page.wait_for_url(self._origin + "/account")

    async def violations(self) -> list[str]:
        """What axe has against the page, and how far it reaches beyond its edge; it needs a look with scripts."""
        await self.page.evaluate(self._axe)
        found: list[dict[str, Any]] = await self.page.evaluate(RUN_AXE)
        beyond: int = await self.page.evaluate(BEYOND)
        return [*map(_told, found), *([f"{beyond} pixels lie beyond the edge"] if beyond > 0 else [])]

    async def _asked(self, dialog: Dialog) -> None:
        if dialog.message in self.agreed:
            await dialog.accept()
            return
        self.faults.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(NOT_HAD):
            self.faults.append(f"on the console: {message.text}")

    def _wanted(self, request: Request) -> None:
        if not request.url.startswith((f"{self._origin}/", "data:")):
            self.faults.append(f"asked somebody else: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            self.faults.append(f"{response.status} from {response.url}")


Opening = Callable[[Look], Awaitable[Watched]]


@asynccontextmanager
async def windows(browser: Browser, origin: str, axe: str) -> AsyncIterator[Opening]:
    """Opens windows at a house, each with no cookies yet; when all are closed, nothing may have gone wrong in any."""
    opened: list[Watched] = []
    async with AsyncExitStack() as stack:

        async def open_one(look: Look) -> Watched:
            context = await browser.new_context(
                viewport={"width": look.width, "height": 900},
                color_scheme=look.scheme,
                java_script_enabled=look.scripts,
            )
            stack.push_async_callback(context.close)
            context.set_default_timeout(WITHIN)
            opened.append(Watched(await context.new_page(), origin, axe))
            return opened[-1]

        yield open_one
    faults = [fault for one in opened for fault in one.faults]
    assert not faults, faults


def _told(violation: dict[str, Any]) -> str:
    places = ", ".join(str(node["target"][0]) for node in violation["nodes"][:5])
    return f"{violation['id']}: {violation['help']} ({places})"
