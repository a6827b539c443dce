"""Which endpoint answers which request: each noun enters its own by decorator, with the shape of what may be said."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tenantry.testing.stripe import shapes
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.shapes import Reader, read_fields
from tenantry.testing.stripe.wire import Refusal

LIST_SHAPE: dict[str, Reader] = {
    "limit": shapes.whole,
    "starting_after": shapes.text,
    "ending_before": shapes.text,
}


@dataclass(slots=True)
class Asked:
    """One request, read: the ids of its path and its parameters."""

    books: Books
    path: tuple[str, ...]
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The first id of the path."""
        return self.path[0]

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or what stands for its absence."""
        value = self.params.get(name)
        return default if value is None else value


Endpoint = Callable[[Asked], Thing]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint with its address."""

    method: str
    pattern: re.Pattern[str]
    endpoint: Endpoint
    readers: dict[str, Reader]
    needs: tuple[str, ...]

    def read(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The parameters, or a refusal."""
        return read_fields(raw, self.readers, self.needs)


ROUTES: list[Route] = []


def route(
    method: str, path: str, *, needs: tuple[str, ...] = (), lists: bool = False, **readers: Reader
) -> Callable[[Endpoint], Endpoint]:
    """Answer this method and path; `{}` in the path is an id."""

    def enter(endpoint: Endpoint) -> Endpoint:
        pattern = re.compile("/v1" + path.replace("{}", "([^/]+)"))
        all_readers = {**(LIST_SHAPE if lists else {}), **readers, "expand": shapes.each(shapes.text)}
        ROUTES.append(Route(method, pattern, endpoint, all_readers, needs))
        return endpoint

    return enter


def routed(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The endpoint of a request with the ids of its path."""
    found = [(one, match.groups()) for one in ROUTES if one.method == method and (match := one.pattern.fullmatch(path))]
    if found:
        # `/invoices/create_preview` is no invoice: the address with the fewest ids in it is meant
        return min(found, key=lambda one: len(one[1]))
    message = f"Unrecognized request URL ({method}: {path}). The local Stripe may not know this endpoint."
    raise Refusal(404, message, code="url_invalid", executed=False)
