"""Routes as values: what a domain's `http.py` declares, and the entry point serves and documents."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID, IdKind
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.permission import ANYONE, Permission
from tenantry.foundation.problems import REFUSES, Problem
from tenantry.foundation.refusals import ProofNeeded
from tenantry.foundation.security.limits import Limit, RateLimited
from tenantry.foundation.streams import Streamed, StreamsFull, TooManyStreams
from tenantry.foundation.work import OrgWork, PersonWork

Shape = TypeVar("Shape")
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


class Versioned(msgspec.Struct, Generic[Shape], frozen=True):
    """An answer with the version of its row, which goes into `ETag` and comes back in `If-Match`."""

    value: Shape
    version: int


class Answered(msgspec.Struct, Generic[Shape], frozen=True):
    """An answer with a status other than its route's; the route declares in `also` which ones there are."""

    status: int
    value: Shape


class Route(msgspec.Struct, frozen=True):
    """One operation: where it answers, who may ask, what it takes, gives and refuses."""

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    status: int
    requires: Permission
    tag: str
    problems: tuple[type[Problem], ...]
    example: Any
    answer_example: Any
    ids: Mapping[str, IdKind]
    work: type[PersonWork | OrgWork | OperatorWork] | None
    body: type[msgspec.Struct] | None
    query: type[msgspec.Struct] | None
    takes: tuple[str, ...]
    answer: Any
    versioned: bool
    even_closed: bool = False
    even_restricted: bool = False
    needs_match: bool = False
    limits: tuple[Limit, ...] = ()
    also: Mapping[int, Any] = {}
    other: Any = None
    streamed: bool = False
    shows_secret: bool = False
    cost: int = 1

    @property
    def name(self) -> str:
        """The operation's id in the OpenAPI document."""
        return f"{self.tag}.{self.handler.__name__}"

    @property
    def in_org(self) -> bool:
        """Whether it is asked in an organization, the one that its path names."""
        return "org" in self.ids and not self.of_operators

    @property
    def of_operators(self) -> bool:
        """Whether it is for those who run the installation, by credentials of their own."""
        return bool(self.requires.operators)

    @property
    def reads(self) -> bool:
        """Whether it changes nothing that anybody could read."""
        return self.method == "GET"

    @property
    def public(self) -> bool:
        """Whether it answers without a credential."""
        return self.requires == ANYONE

    @property
    def heeds_keys(self) -> bool:
        """Whether it is done once under an idempotency key: what changes something, for a caller who is known."""
        return not (self.reads or self.public or self.of_operators or self.path.startswith("/v1/auth/"))

    @property
    def sentence(self) -> str:
        """What it does, in one sentence."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]


class Routes:
    """The routes of one domain, declared by decorating their handlers."""

    def __init__(self, tag: str, *, prefix: str = "/v1") -> None:
        self.tag = tag
        self.prefix = prefix
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def get(self, path: str, **rest: Any) -> Callable[[Handler], Handler]:
        """Declare an operation that reads."""
        return self.declare("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> Callable[[Handler], Handler]:
        """Declare an operation that makes or does something."""
        return self.declare("POST", path, **rest)

    def put(self, path: str, **rest: Any) -> Callable[[Handler], Handler]:
        """Declare an operation that lets something be what is sent."""
        return self.declare("PUT", path, **rest)

    def patch(self, path: str, **rest: Any) -> Callable[[Handler], Handler]:
        """Declare an operation that changes part of something."""
        return self.declare("PATCH", path, **rest)

    def delete(self, path: str, **rest: Any) -> Callable[[Handler], Handler]:
        """Declare an operation that ends something."""
        return self.declare("DELETE", path, **rest)

    def declare(
        self,
        method: str,
        path: str,
        *,
        requires: Permission,
        status: int = 200,
        problems: tuple[type[Problem], ...] = (),
        example: Any = None,
        answer_example: Any = None,
        ids: Mapping[str, IdKind] | None = None,
        even_closed: bool = False,
        even_restricted: bool = False,
        needs_match: bool = False,
        limits: tuple[Limit, ...] = (),
        also: Mapping[int, Any] | None = None,
        shows_secret: bool = False,
        cost: int = 1,
    ) -> Callable[[Handler], Handler]:
        """Declare an operation; the handler's own signature says what it takes and gives.

        `also` are the statuses of what it may give as `Answered`, each with an example. `even_closed` opens it to
        persons whose account is closed and not purged yet, or to members of a closed organization; `even_restricted`
        opens what changes something to members of an organization that is restricted, as all reading is anyway.
        `needs_match` refuses whoever does not say in `If-Match` which version they change. `shows_secret`: the answer
        has what is shown once; whoever asks again under the same idempotency key gets the id only. `cost` is how many
        turns it takes of the rates of whoever asks and of their organization.
        """

        def keep(handler: Handler) -> Handler:
            self._routes.append(
                route_of(
                    handler, method=method, path=self.prefix + path, tag=self.tag, requires=requires, status=status,
                    problems=problems, example=example, answer_example=answer_example, ids=dict(ids or {}),
                    even_closed=even_closed, even_restricted=even_restricted, needs_match=needs_match, limits=limits,
                    also=dict(also or {}), shows_secret=shows_secret, cost=cost,
                )
            )  # fmt: skip
            return handler

        return keep


def route_of(handler: Callable[..., Awaitable[Any]], *, limits: tuple[Limit, ...], **declared: Any) -> Route:
    """The operation that a handler and what is declared of it make; its signature says what it takes and gives.

    A path with `{org}` is asked in that organization: the handler takes an OrgWork, or a Call that acts there. What
    operators may do takes an OperatorWork, or a Call, and is asked in no organization, whichever its path names.
    """
    if "{org}" in declared["path"]:
        declared["ids"] = {"org": ORG_ID} | declared["ids"]
    opens, body, query, takes, answer, versioned, other = _read_signature(handler)
    streamed = get_origin(get_type_hints(handler)["return"]) is Streamed
    if streamed:
        declared["problems"] = (*declared["problems"], StreamsFull, TooManyStreams)
    if (other is None) is bool(declared.get("also")):
        raise TypeError(f"{handler.__qualname__}: what it gives as Answered, and with which status, belong together")
    declared["problems"] = (*declared["problems"], *getattr(handler, REFUSES, ()))
    _check_limits(limits, body)
    of_operators = bool(declared["requires"].operators)
    if opens is not None and issubclass(opens, OperatorWork) is not of_operators:
        raise TypeError(f"{handler.__qualname__}: an OperatorWork belongs to a permission of operators, and it to that")
    if opens is not None and issubclass(opens, OrgWork) is not ("org" in declared["ids"] and not of_operators):
        raise TypeError(f"{handler.__qualname__}: an OrgWork belongs to a path with an organization, and it to that")
    if declared["requires"].recent:
        declared["problems"] = (*declared["problems"], ProofNeeded)
    if limits:
        declared["problems"] = (*declared["problems"], RateLimited)
    return Route(
        handler=handler, work=opens, body=body, query=query, takes=takes, answer=answer, versioned=versioned,
        other=other, limits=limits, streamed=streamed, **declared,
    )  # fmt: skip


def _read_signature(handler: Callable[..., Any]) -> tuple[Any, Any, Any, tuple[str, ...], Any, bool, Any]:
    hints = get_type_hints(handler)
    names = tuple(inspect.signature(handler).parameters)
    opens = hints[names[0]]
    if opens is not Call and not issubclass(opens, PersonWork | OrgWork | OperatorWork):
        raise TypeError(f"{handler.__qualname__}: the first parameter is the work of somebody in particular, or a Call")
    body = hints.get("body", hints.get("form"))
    return None if opens is Call else opens, body, hints.get("query"), names[1:], *_shape(hints["return"])


def _check_limits(limits: tuple[Limit, ...], body: type[msgspec.Struct] | None) -> None:
    if any(limit.by != "source" for limit in limits) and "email" not in getattr(body, "__struct_fields__", ()):
        raise TypeError("a limit by address needs a body with an `email`")


def _shape(answer: Any) -> tuple[Any, bool, Any]:
    """What the client gets, whether it has a version, and what it gets with another status; a refusal is left out."""
    if get_origin(answer) is Versioned:
        return get_args(answer)[0], True, None
    other = next((get_args(kind)[0] for kind in get_args(answer) if get_origin(kind) is Answered), None)
    kinds = [kind for kind in get_args(answer) if kind is not Refusal and get_origin(kind) is not Answered]
    return (kinds[0] if len(kinds) == 1 else answer), False, other


def id_parameters(route: Route, values: Mapping[str, str]) -> dict[str, UUID | None]:
    """The path's ids read by their kinds; None for one that is not an id of its kind."""
    return {name: kind.read(values[name]) for name, kind in route.ids.items()}
