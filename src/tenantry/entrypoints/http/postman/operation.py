"""One operation of the document, and what it is to the others: what it makes, and what it lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PARAMETER = re.compile(r"\{(\w+)\}")
JSON = ("application/json", "application/problem+json")


@dataclass(frozen=True)
class Operation:
    """An operation with the place at which it answers."""

    method: str
    path: str
    said: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def tag(self) -> str:
        """The folder it belongs into."""
        return str(self.said["tags"][0])

    @property
    def public(self) -> bool:
        """Whether nobody has to sign in for it."""
        return not self.said["security"]

    @property
    def of_operators(self) -> bool:
        """Whether it takes the token of an operator."""
        return any("operator" in scheme for scheme in self.said["security"])

    @property
    def makes(self) -> str | None:
        """The variable that holds the id of what it makes."""
        return self._member() if self.method == "POST" else None

    @property
    def lists(self) -> str | None:
        """The variable that holds the id of one that it lists, where no operation makes any."""
        made = "post" in self.document["paths"][self.path]
        return self._member() if self.method == "GET" and not made else None

    @property
    def streams(self) -> bool:
        """Whether a good answer has no end."""
        return any("text/event-stream" in answer.get("content", {}) for answer in self.said["responses"].values())

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The JSON that it is sent."""
        return json_of(self.said.get("requestBody", {}).get("content", {}))

    def parameters(self, place: str) -> Iterator[Mapping[str, Any]]:
        """Its parameters in the path, the query or the header."""
        return (parameter for parameter in self.said.get("parameters", ()) if parameter["in"] == place)

    def _member(self) -> str | None:
        """The variable in the path of one of those that this path holds."""
        found = re.compile(re.escape(self.path) + r"/\{(\w+)\}")
        names = (match.group(1) for path in self.document["paths"] if (match := found.fullmatch(path)))
        return next(names, None)


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Every operation, in the document's order."""
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            yield Operation(method.upper(), path, said, document)


def json_of(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON among the forms in which something is sent."""
    return next((content[form] for form in JSON if form in content), None)
