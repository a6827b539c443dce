"""The shapes that a request for another tenant's things can have, each beside its twin that names what is not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from tenantry.foundation.data.ids import ORG_ID
from tenantry.testing.matrix.actors import Asking
from tenantry.testing.matrix.asking import Ask
from tenantry.testing.matrix.operations import Operation
from tenantry.testing.matrix.sides import Side, nothings, theirs, written
from tenantry.testing.matrix.tenants import Tenant

# what somebody between us and the client might be steered by, and we are not
STEERING = ("x-original-url", "x-rewrite-url")
CHOOSING = ("x-org-id", "x-tenant-id")


class Probe(msgspec.Struct, frozen=True):
    """A request for another tenant's thing, and its twin: the same for a thing that nobody has.

    `hidden`: to whoever is signed in, nothing but a not-found is good. `alone`: it is not asked beside others.
    """

    shape: str
    asking: Asking
    ask: Ask
    twin: Ask | None = None
    hidden: bool = False
    alone: bool = False


class Shaping(msgspec.Struct, frozen=True):
    """One operation, somebody who asks it, their tenant, and the two sides of every probe."""

    operation: Operation
    asking: Asking
    own: Tenant
    sides: tuple[Side, Side]

    def pair(self, shape: str, build: Callable[[Side], Ask], *, hidden: bool = False, alone: bool = False) -> Probe:
        """A probe and its twin."""
        there, nowhere = (build(side) for side in self.sides)
        return Probe(shape, self.asking, there, nowhere, hidden, alone)

    @property
    def own_ids(self) -> Mapping[str, str]:
        """Ids of the asker's own tenant for the whole path."""
        return self.own.own(self.operation) or {}

    @property
    def depth(self) -> int:
        """How many rows of the other tenant are asked for in turn."""
        return len(list(self.sides[0].rows(self.operation)))


def probes(operation: Operation, everybody: list[Asking], own: Tenant, other: Tenant) -> Iterator[Probe]:
    """Every request that an operation is asked by everybody, about the other tenant."""
    sides = theirs(other, operation), nothings(other)
    for asking in everybody:
        shaping = Shaping(operation, asking, own, sides)
        if operation.route.in_org:
            yield from by_path(shaping)
            yield from by_spelling(shaping)
        if asking.within or (not operation.route.in_org and not asking.both):
            for shape in (plain, by_nested_id, by_body, by_query, by_cursor, by_tag, by_header):
                yield from shape(shaping)


def by_path(shaping: Shaping) -> Iterator[Probe]:
    """The other organization's id in the path, its nested ids behind it."""
    for place in range(max(shaping.depth, 1)):
        yield shaping.pair("path", lambda side: _in_other(shaping, side, place), hidden=True)  # noqa: B023  (built now)
    if shaping.operation.reads:
        yield shaping.pair("path, HEAD", lambda side: _in_other(shaping, side, method="HEAD"), hidden=True)
    path = shaping.operation.route.path
    if path in shaping.sides[0].tags:
        # a tag that is no longer true is refused before anybody asks whose it was: as good as a not-found, if alike
        yield shaping.pair("path, If-Match", lambda side: _in_other(shaping, side, more={"if-match": side.tags[path]}))
        yield shaping.pair(
            "path, If-None-Match", lambda side: _in_other(shaping, side, more={"if-none-match": side.tags[path]})
        )


def _in_other(shaping: Shaping, side: Side, place: int = 0, **rest: Any) -> Ask:
    rows = list(side.rows(shaping.operation)) or [{}]
    return written(shaping.operation, shaping.asking, side, {"org": side.org} | rows[place], **rest)


SPELLINGS: Mapping[str, Callable[[Side], str]] = {
    "upper case": lambda side: side.org.upper(),
    "upper case within": lambda side: ORG_ID.start + side.org.removeprefix(ORG_ID.start).upper(),
    "slug": lambda side: side.slug,
    "uuid": lambda side: str(ORG_ID.read(side.org)),
    "hexadecimal": lambda side: str(ORG_ID.read(side.org)).replace("-", ""),
    "escaped letter": lambda side: f"%{ord(side.org[0]):02x}{side.org[1:]}",
    "escaped dot": lambda side: f"%2e/{side.org}",
    "escaped dots": lambda side: f"x/%2e%2e/{side.org}",
    "dots": lambda side: f"x/../{side.org}",
    "escaped slash": lambda side: f"x%2f..%2f{side.org}",
    "double slash": lambda side: f"/{side.org}",
    "path parameter": lambda side: f"{side.org};v=1",
    "suffix": lambda side: f"{side.org}.json",
    "escaped NUL": lambda side: f"{side.org}%00",
    "two ids": lambda side: f"{side.org},{side.org}",
}
TAILS = {"trailing slash": "/", "duplicated parameter": "?org=a&org=b"}


def by_spelling(shaping: Shaping) -> Iterator[Probe]:
    """The other organization's id, written otherwise."""
    operation, asking = shaping.operation, shaping.asking
    for shape, spell in SPELLINGS.items():
        yield shaping.pair(
            f"spelling, {shape}",
            lambda side: written(operation, asking, side, _row(side, operation) | {"org": spell(side)}),  # noqa: B023
            hidden=True,
        )
    for shape, tail in TAILS.items():
        yield shaping.pair(f"spelling, {shape}", lambda side: _in_other(shaping, side, tail=tail), hidden=True)  # noqa: B023


def _row(side: Side, operation: Operation) -> dict[str, str]:
    return next(side.rows(operation), {})


def plain(shaping: Shaping) -> Iterator[Probe]:
    """Nothing of the other tenant is named: what one reads is one's own."""
    if shaping.operation.reads and shaping.own_ids:
        ask = written(shaping.operation, shaping.asking, shaping.sides[1], shaping.own_ids)
        yield Probe("plain", shaping.asking, ask)


def by_nested_id(shaping: Shaping) -> Iterator[Probe]:
    """Ids of the other tenant's rows in the path, under one's own organization or under none."""
    operation, asking, org = shaping.operation, shaping.asking, shaping.own.org
    for place in range(shaping.depth):
        yield shaping.pair(
            "nested id",
            lambda side: written(operation, asking, side, {"org": org} | list(side.rows(operation))[place]),  # noqa: B023
        )


def by_body(shaping: Shaping) -> Iterator[Probe]:
    """Ids of the other tenant in each field that takes one, in one that nobody asked for, and twice; an address too."""
    operation, asking, ids = shaping.operation, shaping.asking, shaping.own_ids
    if not operation.has_body or not ids:
        return
    if operation.ids_in_body:
        yield shaping.pair("body", lambda side: written(operation, asking, side, ids, body=operation.body(side.named)))
        yield shaping.pair(
            "body, twice", lambda side: written(operation, asking, side, ids, data=_twice(shaping, side))
        )
    if operation.route.in_org:
        added = operation.body() | {"org_id": shaping.own.org}
        yield shaping.pair(
            "body, id added", lambda side: written(operation, asking, side, ids, body=added | {"org_id": side.org})
        )
    if operation.route.in_org and "email" in operation.fields:
        yield shaping.pair(
            "body, address",
            lambda side: written(operation, asking, side, ids, body=operation.body() | {"email": side.email}),
            alone=True,
        )


def _twice(shaping: Shaping, side: Side) -> bytes:
    """The body with its members twice: one's own first, then the other's."""
    mine = json.dumps(shaping.operation.body(lambda prefix: shaping.own.ids.get(prefix, [side.named(prefix)])[0]))
    other = json.dumps(shaping.operation.body(side.named))
    return f"{mine[:-1]},{other[1:]}".encode()


def by_query(shaping: Shaping) -> Iterator[Probe]:
    """Whatever names the other tenant in each filter, in one that nobody knows, and beside one's own."""
    if not shaping.operation.reads or not shaping.own_ids:
        return
    for name, prefix in (*shaping.operation.filters, ("org_id", "org")):
        for place in range(1 if prefix else len(shaping.sides[0].texts)):
            given = _Given(name, prefix, place)
            yield shaping.pair(f"query, {name}", partial(_filtered, shaping, given))
        twice = _Given(name, prefix, 0, before=f"{name}={shaping.own.slug}&")
        yield shaping.pair(f"query, {name} twice", partial(_filtered, shaping, twice))


class _Given(msgspec.Struct, frozen=True):
    """A filter: its name, the kind of id it takes or which of several texts it is given, and what stands before it."""

    name: str
    prefix: str
    place: int
    before: str = ""


def _filtered(shaping: Shaping, given: _Given, side: Side) -> Ask:
    text = side.named(given.prefix) if given.prefix else side.texts[given.place]
    tail = f"?{given.before}{given.name}={quote(text, safe='')}"
    return written(shaping.operation, shaping.asking, side, shaping.own_ids, tail=tail)


def by_cursor(shaping: Shaping) -> Iterator[Probe]:
    """The other tenant's cursor in one's own list; its twin is one that nobody gave."""
    operation, asking, path = shaping.operation, shaping.asking, shaping.operation.route.path
    if path in shaping.sides[0].cursors and shaping.own_ids:
        yield shaping.pair(
            "cursor",
            lambda side: written(operation, asking, side, shaping.own_ids, tail=f"?limit=1&after={side.cursors[path]}"),
        )


def by_tag(shaping: Shaping) -> Iterator[Probe]:
    """The other tenant's tag of the same place, at one's own."""
    operation, asking, path, ids = shaping.operation, shaping.asking, shaping.operation.route.path, shaping.own_ids
    if path not in shaping.sides[0].tags or not ids:
        return
    if operation.reads:
        yield shaping.pair(
            "If-None-Match", lambda side: written(operation, asking, side, ids, more={"if-none-match": side.tags[path]})
        )
    elif operation.matches:
        yield shaping.pair(
            "If-Match", lambda side: written(operation, asking, side, ids, more={"if-match": side.tags[path]})
        )


def by_header(shaping: Shaping) -> Iterator[Probe]:
    """Headers that ask for another path or another tenant; nobody here obeys them."""
    operation, asking, ids = shaping.operation, shaping.asking, shaping.own_ids
    if not operation.reads or not ids:
        return
    for name in STEERING:
        yield shaping.pair(
            f"header, {name}",
            lambda side: written(operation, asking, side, ids, more={name: operation.path({"org": side.org})}),  # noqa: B023
        )
    for name in CHOOSING:
        yield shaping.pair(f"header, {name}", lambda side: written(operation, asking, side, ids, more={name: side.org}))  # noqa: B023
