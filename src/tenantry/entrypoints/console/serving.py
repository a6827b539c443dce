"""Serving the console: each page with who looks at it, where they are, and where they can go from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tenantry.entrypoints.console.paper import ConsolePaper
from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint, NotByKey
from tenantry.entrypoints.http.pages.serving import Desk, who_serves
from tenantry.entrypoints.http.reply import Reply
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.pages import Page
from tenantry.foundation.permission import Role
from tenantry.foundation.problems import Invalid, Malformed, Problem
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.surroundings import surroundings
from tenantry.foundation.work import PersonWork


class Leaf(msgspec.Struct, frozen=True):
    """A place in the menu of an organization."""

    path: str
    name: str
    roles: tuple[Role, ...]


def console(registry: Registry, runtime: Runtime) -> Iterator[tuple[str, dict[str, Endpoint]]]:
    """Each page of the console and what answers there."""
    drawn = {page.path: page for page in registry.pages if page.frame == ConsolePaper.frame}
    if not drawn:
        return
    paper, serving = ConsolePaper(registry, runtime), who_serves(registry)
    named = registry.menu(ConsolePaper.frame)
    menu = tuple(Leaf(path, name, drawn[path].shown.requires.roles) for path, name in named.items())
    for page in drawn.values():
        yield from ConsoleDesk(page, runtime, paper, serving, menu=menu).endpoints()


class ConsoleDesk(Desk):
    """One page of the console."""

    def __init__(self, page: Page, *rest: Any, menu: tuple[Leaf, ...]) -> None:
        super().__init__(page, *rest)
        self._menu = menu

    async def _unasked(
        self, problem: Problem, scope: Mapping[str, Any], arrival: Arrival, asked: Mapping[str, str]
    ) -> Reply:
        """The page with nothing asked for, what was wrong, and the filters as they were filled in."""
        if asked and isinstance(problem, Invalid | Malformed):
            return await self._shown_with(problem, scope, arrival, {}, asked)
        return await super()._unasked(problem, scope, arrival, asked)

    async def _around(self, call: Call, scope: Mapping[str, Any]) -> Mapping[str, Any]:
        if call.actor.person is None:
            raise NotByKey
        org = scope["path_params"].get("org")
        async with PersonWork(call, reading=True) as work:
            around = await surroundings.ask(work, None if org is None else ORG_ID.read(org))
        if around is None or around.org is None:
            return {"around": around, "menu": ()}
        role, text = around.org.role, ORG_ID.text(around.org.id)
        menu = [(leaf.path.format(org=text), leaf.name) for leaf in self._menu if role in leaf.roles]
        return {"around": around, "menu": menu, "here": f"/console/orgs/{text}"}
