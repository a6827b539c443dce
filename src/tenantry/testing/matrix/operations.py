"""The operations to be asked: what the served document says of each, and what the registry knows beside it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from tenantry.foundation.data.ids import IdKind
from tenantry.foundation.domain import Registry
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.routes import Route

AN_ID = re.compile(r"([a-z]{2,12})_[0-7][0-9a-hjkmnp-tv-z]{25}")
_ID_PATTERN = re.compile(r"\^([a-z]{2,12})_")
_REF = "#/components/schemas/"
TELL_OF_ASKING = frozenset({"GET /v1/orgs/{org}/audit-log"})
Named = Callable[[str], str]
"""Which id of a kind to send, by the kind's prefix."""


class Operation(msgspec.Struct, frozen=True):
    """One operation of the served document: its route, what its query takes and needs, and its body's example."""

    route: Route
    filters: tuple[tuple[str, str], ...]
    needs: str
    example: Any
    fields: Mapping[str, Mapping[str, Any]]
    has_body: bool

    @property
    def name(self) -> str:
        """Method and path, as a reader knows it."""
        return f"{self.route.method} {self.route.path}"

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.route.method == "GET"

    @property
    def nested(self) -> Mapping[str, IdKind]:
        """The ids in its path beside the organization's."""
        return {name: kind for name, kind in self.route.ids.items() if name != "org"}

    @property
    def lists(self) -> bool:
        """Whether it goes on by cursors."""
        return self.route.query is not None and issubclass(self.route.query, ListQuery)

    @property
    def tells_of_asking(self) -> bool:
        """Whether what it answers grows by being asked, and by what else is asked: a log of what people do."""
        return self.name in TELL_OF_ASKING

    @property
    def matches(self) -> bool:
        """Whether it takes `If-Match`."""
        return "if_match" in self.route.takes

    @property
    def ids_in_body(self) -> bool:
        """Whether its body names something by an id."""
        return bool(_id_fields(self.fields)) or AN_ID.search(json.dumps(self.example)) is not None

    def path(self, ids: Mapping[str, str]) -> str:
        """Its path with these ids."""
        path = self.route.path
        for name, text in ids.items():
            path = path.replace("{" + name + "}", text)
        return path

    def body(self, named: Named | None = None) -> Any:
        """The body of the example, or one that names other things in all fields that take ids."""
        if not self.has_body or named is None:
            return copy.deepcopy(self.example)
        body = _renamed(self.example, named)
        return body | {name: named(prefix) for name, prefix in _id_fields(self.fields).items() if name not in body}


def operations(document: Mapping[str, Any], registry: Registry) -> tuple[list[Operation], list[str]]:
    """Every operation that is both served as documented and known, and those that are only one of the two."""
    routes = {(route.method, route.path): route for route in registry.routes}
    described = dict(_described(document))
    known = [_operation(routes[key], described[key], document) for key in described if key in routes]
    return known, [f"{method} {path}" for method, path in sorted(routes.keys() ^ described.keys())]


def chosen(found: Collection[Operation], tags: Collection[str]) -> list[Operation]:
    """Those of some domains, or all."""
    return [one for one in found if not tags or one.route.tag in tags]


def _described(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield (method.upper(), path), operation


def _operation(route: Route, described: Mapping[str, Any], document: Mapping[str, Any]) -> Operation:
    content = described.get("requestBody", {}).get("content", {}).get("application/json")
    return Operation(
        route=route,
        filters=tuple(_filters(described)),
        needs="&".join(_needs(described)),
        example=None if content is None else content.get("example", {}),
        fields={} if content is None else _resolved(content["schema"], document).get("properties", {}),
        has_body=content is not None,
    )


def _filters(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of parameters that take free text or an id, with the prefix of that kind of id."""
    for parameter in described.get("parameters", ()):
        if parameter["in"] == "query" and parameter["name"] != "after":
            for schema in parameter["schema"].get("anyOf", [parameter["schema"]]):
                if schema.get("type") == "string" and not {"enum", "const"} & schema.keys():
                    yield parameter["name"], _prefix(schema)


def _needs(described: Mapping[str, Any]) -> Iterator[str]:
    """Parameters that it is not answered without, each with something that it may be."""
    for parameter in described.get("parameters", ()):
        if parameter["in"] == "query" and parameter["required"]:
            schema = parameter["schema"]
            usual = schema.get("minimum", 1) if schema.get("type") in {"integer", "number"} else "something"
            yield f"{parameter['name']}={quote(str(schema.get('enum', [usual])[0]), safe='')}"


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").removeprefix(_REF)
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _id_fields(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Fields of a body that take an id by their schema, with its prefix."""
    return {
        name: prefix
        for name, schema in fields.items()
        for one in schema.get("anyOf", [schema])
        if (prefix := _prefix(one))
    }


def _prefix(schema: Mapping[str, Any]) -> str:
    found = _ID_PATTERN.match(schema.get("pattern", ""))
    return found.group(1) if found else ""


def _renamed(example: Any, named: Named) -> Any:
    if isinstance(example, dict):
        return {name: _renamed(part, named) for name, part in example.items()}
    if isinstance(example, list):
        return [_renamed(part, named) for part in example]
    found = AN_ID.fullmatch(example) if isinstance(example, str) else None
    return named(found.group(1)) if found else example
