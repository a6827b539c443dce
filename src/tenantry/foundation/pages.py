"""Pages as values: what a domain's `pages` declare for a person who has a browser and nothing else.

A page shows itself at GET and takes forms at POST, works without a script, and changes nothing at GET. What it may and
must do is a Route like those of the API; who is not let in is led to the page that `serves` signing in. The pages of an
account are drawn in one frame, those of the console in another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import msgspec

from tenantry.foundation.data.ids import IdKind
from tenantry.foundation.permission import Permission
from tenantry.foundation.routes import Route, route_of
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.limits import Limit

Values = Mapping[str, Any]
"""What a page's template is filled with."""
Serves = Literal["signing in", "closed accounts", "signing operators in"]
Frame = Literal["account", "console"]
Onward = Callable[[Runtime], tuple[str, ...]]
"""The origins of others that a page's form may lead to in the end; a browser follows it nowhere else."""
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


class SeeOther(msgspec.Struct, frozen=True):
    """Done, and the browser goes on to another page; `visit` signs it in, an empty one out, `of_operators` as one."""

    to: str
    visit: str | None = None
    of_operators: bool = False


class Receipt(msgspec.Struct, frozen=True):
    """Done, and here is what is shown this once, by a template: a secret."""

    template: str
    values: Values


class Download(msgspec.Struct, frozen=True):
    """Something to keep as a file."""

    name: str
    kind: str
    content: bytes


class Page(msgspec.Struct):
    """One page: what it is called, its template, how it is shown, who takes its form, and its other forms by path."""

    path: str
    title: str
    template: str
    shown: Route
    frame: Frame
    taken: Route | None = None
    serves: Serves | None = None
    onward: Onward | None = None
    forms: dict[str, Route] = {}

    @property
    def routes(self) -> tuple[Route, ...]:
        """What it does: one that shows it, those that take its forms."""
        return (self.shown, *([self.taken] if self.taken else []), *self.forms.values())


class Pages:
    """The pages of one domain, declared by decorating their handlers, and the folder of their templates.

    `menu` says which of them a person finds from every other one, and by which name.
    """

    frame: ClassVar[Frame] = "account"

    def __init__(self, tag: str, folder: Path, *, menu: Mapping[str, str] | None = None) -> None:
        self.tag = tag
        self.folder = folder
        self.menu = dict(menu or {})
        self._pages: dict[str, Page] = {}

    def __iter__(self) -> Iterator[Page]:
        return iter(self._pages.values())

    def get(
        self,
        path: str,
        *,
        title: str,
        template: str,
        requires: Permission,
        ids: Mapping[str, IdKind] | None = None,
        even_closed: bool = False,
        serves: Serves | None = None,
        onward: Onward | None = None,
        limits: tuple[Limit, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare a page by what shows it: it gives the values that its template is filled with.

        A path with `{org}` is a page of that organization, as a route's is. It may also give a SeeOther.
        """

        def keep(handler: Handler) -> Handler:
            shown = self._route(
                handler, method="GET", path=path, requires=requires, ids=dict(ids or {}), even_closed=even_closed,
                limits=limits,
            )  # fmt: skip
            self._pages[path] = Page(path, title, template, shown, self.frame, serves=serves, onward=onward)
            return handler

        return keep

    def post(
        self,
        path: str,
        *,
        requires: Permission,
        of: str | None = None,
        ids: Mapping[str, IdKind] | None = None,
        even_closed: bool = False,
        even_restricted: bool = False,
        limits: tuple[Limit, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare who takes the form of a page that is declared above; what is refused is said on the page.

        `of` is the page's path where the form is sent to another: one of several forms, or about a row that it shows.
        """

        def keep(handler: Handler) -> Handler:
            page = self._pages[of or path]
            route = self._route(
                handler, method="POST", path=path, requires=requires, ids=dict(ids or {}), even_closed=even_closed,
                even_restricted=even_restricted, limits=limits,
            )  # fmt: skip
            if of is None:
                page.taken = route
            else:
                page.forms = page.forms | {path: route}
            return handler

        return keep

    def _route(
        self, handler: Callable[..., Awaitable[Any]], *, limits: tuple[Limit, ...] = (), **declared: Any
    ) -> Route:
        return route_of(
            handler, tag=self.tag, status=200, problems=(), example=None, answer_example=None, limits=limits, **declared
        )


class ConsolePages(Pages):
    """Pages of the console, drawn in its frame; its `menu` is an organization's, or operators'."""

    frame = "console"
