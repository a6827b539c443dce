"""Serving pages: shown at GET, taken at POST, and whoever is not let in is led to where that can be helped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.body import read_body
from tenantry.entrypoints.http.cookies import give_visit, take_dead_visit
from tenantry.entrypoints.http.endpoint import Endpoint, calling, perform
from tenantry.entrypoints.http.origins import refuse_other_sites
from tenantry.entrypoints.http.pages.paper import FRAME, Paper
from tenantry.entrypoints.http.query import read_form, read_query
from tenantry.entrypoints.http.reads import constant
from tenantry.entrypoints.http.reply import Reply
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.pages import Download, Page, Receipt, SeeOther, Serves
from tenantry.foundation.problems import NotFound, Problem, Unauthenticated
from tenantry.foundation.refusals import AccountClosed, SessionEnded
from tenantry.foundation.routes import Route, id_parameters
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.wire import decode_query, lists_of

STYLE = "/account/style.css"
FORM_TYPES = frozenset((b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded;charset=utf-8"))
FOR_AN_HOUR = b"public, max-age=3600"
Entered = Mapping[str, str | list[str]]
"""What was filled in, by the names of fields."""


def pages(registry: Registry, runtime: Runtime) -> Iterator[tuple[str, dict[str, Endpoint]]]:
    """Each page of an account and what answers there; and the style they share."""
    drawn = [page for page in registry.pages if page.frame == Paper.frame]
    if not drawn:
        return
    paper, serving = Paper(registry, runtime), who_serves(registry)
    for page in drawn:
        yield from Desk(page, runtime, paper, serving).endpoints()
    css = Reply(200, (FRAME / "style.css").read_bytes(), [(b"content-type", b"text/css; charset=utf-8")])
    css.caching = FOR_AN_HOUR
    yield STYLE, {"GET": constant(css)}


def who_serves(registry: Registry) -> dict[Serves, str]:
    """The pages that others lead to."""
    return {page.serves: page.path for page in registry.pages if page.serves}


class Desk:
    """One page: shows it, and takes its forms."""

    door: ClassVar[Serves] = "signing in"

    def __init__(self, page: Page, runtime: Runtime, paper: Paper, serving: Mapping[Serves, str]) -> None:
        self._page = page
        self._runtime = runtime
        self._paper = paper
        self._serving = serving

    def endpoints(self) -> Iterator[tuple[str, dict[str, Endpoint]]]:
        """The page's path, and those of its other forms, with what answers there."""
        taken = self._page.taken
        yield self._page.path, {"GET": self.show} | ({"POST": self._taker(taken)} if taken else {})
        for path, route in self._page.forms.items():
            yield path, {"POST": self._taker(route)}

    async def show(self, scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        """The page, or where its reader is led instead."""
        raw: bytes = scope["query_string"]
        place: str = scope["path"]
        asked: dict[str, str] = {}
        try:
            asked = read_query(raw) if raw else {}
            values = await self._values(scope, arrival, asked)
        except Problem as problem:
            back = f"{place}?{raw.decode('latin-1')}" if raw else place
            return self._elsewhere(problem, arrival, back) or await self._unasked(problem, scope, arrival, asked)
        if isinstance(values, SeeOther):
            return _see_other(values.to)
        return self._paper.page(self._page, place, values)

    async def _unasked(
        self, problem: Problem, scope: Mapping[str, Any], arrival: Arrival, asked: Mapping[str, str]
    ) -> Reply:
        """What is shown where a page cannot be shown as it was asked for."""
        return self._refuse(scope["path"], problem, arrival)

    def _taker(self, taken: Route) -> Endpoint:
        """Where a form leads; or the page again, with what was wrong."""
        lists = () if taken.body is None else lists_of(taken.body)

        async def take(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
            entered: Entered = {}
            place = self._page.path.format(**scope["path_params"])
            try:
                refuse_other_sites(self._runtime, arrival)
                entered = read_form(await read_body(arrival, receive, types=FORM_TYPES), lists)
                answer = await self._taken(taken, scope, arrival, entered)
            except Problem as problem:
                answer = Refusal(problem)
            if not isinstance(answer, Refusal):
                return await self._done(answer, scope, arrival)
            return self._elsewhere(answer.problem, arrival, place) or await self._again(
                answer.problem, scope, arrival, entered
            )

        return take

    async def _values(self, scope: Mapping[str, Any], arrival: Arrival, given: Entered) -> Mapping[str, Any] | SeeOther:
        shown = self._page.shown
        call = await calling(shown, self._runtime, arrival)
        query = {} if shown.query is None else {"query": decode_query(given, shown.query)}
        values: Mapping[str, Any] | SeeOther = await perform(shown, call, _ids(shown, scope) | query, arrival)
        return values if isinstance(values, SeeOther) else {**await self._around(call, scope), **values}

    async def _around(self, call: Call, scope: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the frame shows beside the page."""
        return {}

    async def _taken(self, taken: Route, scope: Mapping[str, Any], arrival: Arrival, entered: Entered) -> Any:
        call = await calling(taken, self._runtime, arrival)
        form = {} if taken.body is None else {"form": decode_query(entered, taken.body, at="form")}
        return await perform(taken, call, _ids(taken, scope) | form, arrival)

    async def _done(self, answer: SeeOther | Receipt | Download, scope: Mapping[str, Any], arrival: Arrival) -> Reply:
        if isinstance(answer, Receipt):
            call = await calling(self._page.shown, self._runtime, arrival)
            place = self._page.path.format(**scope["path_params"])
            return self._paper.receipt(self._page, place, await self._around(call, scope), answer)
        if isinstance(answer, Download):
            name = (b"content-disposition", f'attachment; filename="{answer.name}"'.encode())
            return Reply(200, answer.content, [(b"content-type", answer.kind.encode()), name])
        if answer.visit is not None:
            arrival.of_operators = arrival.of_operators or answer.of_operators
            give_visit(self._runtime, arrival, answer.visit)
        return _see_other(answer.to)

    async def _again(self, problem: Problem, scope: Mapping[str, Any], arrival: Arrival, entered: Entered) -> Reply:
        """The page once more, asked for with what of the form it can be asked for with."""
        query = self._page.shown.query
        names = msgspec.structs.fields(query) if query is not None else ()
        again = {field.encode_name: entered[field.encode_name] for field in names if field.encode_name in entered}
        return await self._shown_with(problem, scope, arrival, again, entered)

    async def _shown_with(
        self, problem: Problem, scope: Mapping[str, Any], arrival: Arrival, asked: Entered, entered: Entered
    ) -> Reply:
        """The page with what was refused, as it is when it is asked for so."""
        place = self._page.path.format(**scope["path_params"])
        try:
            values = await self._values(scope, arrival, asked)
        except Problem:
            # what was refused first says more than why it cannot even be shown again
            return self._refuse(place, problem, arrival)
        arrival.problem = problem
        if isinstance(values, SeeOther):
            return self._refuse(place, problem, arrival)
        return self._paper.refused(self._page, place, values, problem, entered)

    def _refuse(self, place: str, problem: Problem, arrival: Arrival) -> Reply:
        arrival.problem = problem
        return self._paper.problem(self._page, place, problem)

    def _elsewhere(self, problem: Problem, arrival: Arrival, back: str) -> Reply | None:
        take_dead_visit(self._runtime, arrival, problem)
        if type(problem) is Unauthenticated or isinstance(problem, SessionEnded):
            return self._to_the_door(back)
        if isinstance(problem, AccountClosed):
            return _see_other(self._serving["closed accounts"])
        return None

    def _to_the_door(self, back: str, **more: str) -> Reply:
        """To where one signs in, and from there back."""
        return _see_other(f"{self._serving[self.door]}?{urlencode({'next': back, **more})}")


def _ids(route: Route, scope: Mapping[str, Any]) -> dict[str, Any]:
    ids = id_parameters(route, scope["path_params"]) if route.ids else {}
    if None in ids.values():
        raise NotFound
    return dict(ids)


def _see_other(to: str) -> Reply:
    return Reply(303, b"", [(b"location", to.encode("ascii"))])
