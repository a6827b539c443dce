"""The paper that pages are written on: the frame in the product's name, templates of domains, and what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tenantry.entrypoints.http.reply import Reply
from tenantry.foundation.domain import Registry
from tenantry.foundation.pages import Frame, Page, Receipt
from tenantry.foundation.problems import Problem
from tenantry.foundation.runtime import Runtime

FRAME = Path(__file__).parent / "frame"
HTML = (b"content-type", b"text/html; charset=utf-8")
# a browser that is told to send no referrer sends forms as if from nowhere; other sites get none with this either
REFERRER = b"same-origin"
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
TOLD = ("retry-after", "ratelimit", "ratelimit-policy")
MARKED = "Please have another look at this:"
MISFIT = "This is too short, too long, or not of the form that is asked for."
PLAIN = {"is missing": "Please fill this in."}


class Fault(msgspec.Struct, frozen=True):
    """What was refused: one sentence, and what is wrong with which field."""

    sentence: str
    of: Mapping[str, str] = {}


class Paper:
    """Writes pages; a plugin's template takes the place of one of the same name."""

    frame: ClassVar[Frame] = "account"
    folder: ClassVar[Path] = FRAME

    def __init__(self, registry: Registry, runtime: Runtime) -> None:
        settings = runtime.settings
        folders = [*reversed(registry.page_folders(self.frame)), self.folder]
        self._templates = Environment(
            loader=FileSystemLoader(folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "product": settings.product_name,
            "app_url": settings.app_url,
            "menu": registry.menu(self.frame),
            "problem": None,
            "notice": None,
            "entered": {},
        }
        self._onward = {
            page.path: _form_action(settings.app_url, () if page.onward is None else page.onward(runtime))
            for page in registry.pages
            if page.frame == self.frame
        }

    def page(self, page: Page, place: str, values: Mapping[str, Any]) -> Reply:
        """A page filled with its values; `place` is its path, with the ids in it."""
        return self._reply(page.template, page, place, values)

    def refused(
        self, page: Page, place: str, values: Mapping[str, Any], problem: Problem, entered: Mapping[str, Any]
    ) -> Reply:
        """A page whose form was refused: what is wrong with it, and what was entered, secrets apart."""
        kept = {name: text for name, text in entered.items() if "password" not in name}
        values = {**values, "problem": _fault(problem), "entered": kept}
        return self._reply(page.template, page, place, values, problem)

    def receipt(self, page: Page, place: str, values: Mapping[str, Any], receipt: Receipt) -> Reply:
        """What came of a form, and is shown this once."""
        return self._reply(receipt.template, page, place, {**values, **receipt.values})

    def problem(self, page: Page, place: str, problem: Problem) -> Reply:
        """What stands in the place of a page that cannot be shown."""
        return self._reply("problem", page, place, {"problem": _fault(problem)}, problem)

    def _reply(
        self, template: str, page: Page, place: str, values: Mapping[str, Any], problem: Problem | None = None
    ) -> Reply:
        about, policy = self._about(page, place)
        html = self._templates.get_template(f"{template}.html").render(about | dict(values))
        headers = problem.headers if problem else {}
        told = [(name.encode(), headers[name].encode()) for name in TOLD if name in headers]
        return Reply(
            problem.status if problem else 200,
            html.encode(),
            [HTML, *told],
            f"{policy}; {self._onward[page.path]}".encode(),
            referrer=REFERRER,
        )

    def _about(self, page: Page, place: str) -> tuple[dict[str, Any], str]:
        """What the frame is told of the page, and what a browser may load into it."""
        return {"title": page.title, "path": place, "signed_in": not page.shown.public}, POLICY


def _fault(problem: Problem) -> Fault:
    """The problem as it is said on a page; what a decoder says of a field is for programmers."""
    # what is wrong with one thing of a list is said of the list
    errors = [(error.at.partition(".")[2].partition("[")[0], error.message) for error in problem.errors]
    fields = {field: PLAIN.get(message, message) for field, message in errors}
    plain = {name: MISFIT if said.startswith("Expected") else said for name, said in fields.items()}
    return Fault(MARKED if plain else problem.detail, plain)


def _form_action(app_url: str | None, onward: tuple[str, ...]) -> str:
    # where a form leads to in the end is judged as well, and signing in may lead to the product
    parts = urlsplit(app_url or "")
    app = f" {parts.scheme}://{parts.netloc}" if app_url else ""
    return f"form-action 'self'{app}{''.join(f' {origin}' for origin in onward)}"
