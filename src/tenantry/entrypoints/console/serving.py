"""Serving the console: each page with who looks at it, where they are, and where they can go from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from tenantry.entrypoints.console.paper import ConsolePaper
from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint, NotByKey
from tenantry.entrypoints.http.pages.serving import Desk, who_serves
from tenantry.entrypoints.http.reply import Reply
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.pages import Page, Serves
from tenantry.foundation.permission import OperatorRole, Role
from tenantry.foundation.problems import Invalid, Malformed, Problem
from tenantry.foundation.refusals import ProofNeeded
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.surroundings import operator_named, surroundings
from tenantry.foundation.work import PersonWork


class Leaf(msgspec.Struct, frozen=True):
    """A place in the menu of an organization, or in that of operators."""

    path: str
    name: str
    roles: tuple[Role | OperatorRole, ...]


def console(registry: Registry, runtime: Runtime) -> Iterator[tuple[str, dict[str, Endpoint]]]:
    """Each page of the console and what answers there."""
    drawn = {page.path: page for page in registry.pages if page.frame == ConsolePaper.frame}
    if not drawn:
        return
    paper, serving = ConsolePaper(registry, runtime), who_serves(registry)
    menus: dict[bool, list[Leaf]] = {False: [], True: []}
    for path, name in registry.menu(ConsolePaper.frame).items():
        needed = drawn[path].shown.requires
        menus[bool(needed.operators)].append(Leaf(path, name, needed.operators or needed.roles))
    for page in drawn.values():
        theirs = page.shown.of_operators or page.serves == OperatorDesk.door
        desk = OperatorDesk if theirs else ConsoleDesk
        yield from desk(page, runtime, paper, serving, menu=tuple(menus[theirs])).endpoints()


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


class OperatorDesk(ConsoleDesk):
    """One page of operators, who have a door of their own, and come by it again for what is grave."""

    door: ClassVar[Serves] = "signing operators in"

    async def _around(self, call: Call, scope: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._page.shown.public:
            return {}
        async with OperatorWork(call) as work:
            return {
                "operator": await operator_named.ask(work),
                "menu": [(leaf.path, leaf.name) for leaf in self._menu if work.role in leaf.roles],
            }

    def _elsewhere(self, problem: Problem, arrival: Arrival, back: str) -> Reply | None:
        if isinstance(problem, ProofNeeded):
            return self._to_the_door(back, done="old")
        return super()._elsewhere(problem, arrival, back)
