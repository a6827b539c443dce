"""How the local Stripe is spoken to: nested forms as the official SDK writes them, and refusals in Stripe's shape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

API_VERSION = "2026-10-28.endive"
_SEGMENTS = re.compile(r"\[([^\]]*)\]")


class Refusal(Exception):
    """An answer that is an error; `keep` says that what was done up to it stays done, as after a declined card."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        keep: bool = False,
        executed: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.keep, self.executed = status, keep, executed
        self.param = param
        told = {"type": kind, "message": message, "code": code, "param": param, **more}
        self.body: dict[str, Any] = {"error": {key: value for key, value in told.items() if value is not None}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    """A parameter that makes no sense."""
    return Refusal(400, message, param=param, code=code)


def unreadable(message: str, param: str, code: str) -> Refusal:
    """A parameter that never reached the endpoint; no idempotent answer is kept for it."""
    return Refusal(400, message, param=param, code=code, executed=False)


def missing(noun: str, id_: str, param: str | None = None) -> Refusal:
    """Nothing by this id: 404 when the path named it, 400 when a parameter did."""
    status = 404 if param is None else 400
    return Refusal(status, f"No such {noun}: '{id_}'", code="resource_missing", param=param or "id")


def read_form(text: str) -> dict[str, Any]:
    """`a[b][0][c]=1` as nested dicts and lists; every leaf is a string."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _place(tree, _path(name), value, name)
    return {name: _listed(value) for name, value in tree.items()}


def _path(name: str) -> list[str]:
    head, bracket, _ = name.partition("[")
    return [head, *_SEGMENTS.findall(name)] if bracket else [head]


def _place(tree: dict[str, Any], path: list[str], value: str, name: str) -> None:
    node = tree
    for step in path[:-1]:
        node = node.setdefault(step or str(len(node)), {})
        if not isinstance(node, dict):
            raise unreadable(f"Invalid {_root(name)}: both a value and a hash", _root(name), "parameter_invalid")
    last = path[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise unreadable(f"Invalid {_root(name)}: both a value and a hash", _root(name), "parameter_invalid")
    node[last] = value


def _root(name: str) -> str:
    return name.partition("[")[0]


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(one) for key, one in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def listing(url: str, data: Iterable[Any], *, more: bool = False) -> dict[str, Any]:
    """A list object."""
    return {"object": "list", "data": list(data), "has_more": more, "url": url}
