"""Pages as values: what a domain's `pages` declare for a person who has a browser and nothing else.

A page shows itself at GET and takes its form at POST, works without a script, and changes nothing at GET. What it may
and must do is a Route like those of the API; who is not let in is led to the page that `serves` signing in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from tenantry.foundation.permission import Permission
from tenantry.foundation.routes import Route, route_of
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.limits import Limit

Values = Mapping[str, Any]
"""What a page's template is filled with."""
Serves = Literal["signing in", "closed accounts"]
Onward = Callable[[Runtime], tuple[str, ...]]
"""The origins of others that a page's form may lead to in the end; a browser follows it nowhere else."""
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


class SeeOther(msgspec.Struct, frozen=True):
    """Done, and the browser goes on to another page; `visit` signs it in, an empty one out."""

    to: str
    visit: str | None = None


class Download(msgspec.Struct, frozen=True):
    """Something to keep as a file."""

    name: str
    kind: str
    content: bytes


class Page(msgspec.Struct):
    """One page: what it is called, its template, how it is shown, and who takes its form."""

    path: str
    title: str
    template: str
    shown: Route
    taken: Route | None = None
    serves: Serves | None = None
    onward: Onward | None = None


class Pages:
    """The pages of one domain, declared by decorating their handlers, and the folder of their templates.

    `menu` says which of them a person finds from every other one, and by which name.
    """

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
        even_closed: bool = False,
        serves: Serves | None = None,
        onward: Onward | None = None,
        limits: tuple[Limit, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare a page by what shows it: it gives the values that its template is filled with.

        A path with `{org}` is a page of that organization, as a route's is.
        """

        def keep(handler: Handler) -> Handler:
            shown = self._route(
                handler, method="GET", path=path, requires=requires, even_closed=even_closed, limits=limits
            )
            self._pages[path] = Page(path, title, template, shown, serves=serves, onward=onward)
            return handler

        return keep

    def post(
        self,
        path: str,
        *,
        requires: Permission,
        even_closed: bool = False,
        even_restricted: bool = False,
        limits: tuple[Limit, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare who takes the form of a page that is declared above; what is refused is said on the page."""

        def keep(handler: Handler) -> Handler:
            self._pages[path].taken = self._route(
                handler, method="POST", path=path, requires=requires, even_closed=even_closed,
                even_restricted=even_restricted, limits=limits,
            )  # fmt: skip
            return handler

        return keep

    def _route(
        self, handler: Callable[..., Awaitable[Any]], *, limits: tuple[Limit, ...] = (), **declared: Any
    ) -> Route:
        return route_of(
            handler, tag=self.tag, status=200, problems=(), example=None, answer_example=None, ids={}, limits=limits,
            **declared,
        )  # fmt: skip
