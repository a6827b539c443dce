"""Expansion: an id in an answer is replaced by its object, and what is left out unless asked for is put in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tenantry.testing.stripe.books import Books, Thing, copied
from tenantry.testing.stripe.wire import invalid

Inclusion = Callable[[Books, Thing], Any]
INCLUDED: dict[tuple[str, str], Inclusion] = {}
DEEPEST = 4
NEVER_EXPANDED = {"id", "object", "client_reference_id", "lookup_key", "code", "name"}


def included(kind: str, name: str) -> Callable[[Inclusion], Inclusion]:
    """Show this field of the kind only to those who expand it."""

    def enter(inclusion: Inclusion) -> Inclusion:
        INCLUDED[kind, name] = inclusion
        return inclusion

    return enter


def expanded(books: Books, answer: Thing, paths: list[str]) -> Thing:
    """A copy of the answer in which these paths are objects."""
    shown = copied(answer)
    for path in paths:
        steps = path.split(".")
        if len(steps) - steps.count("data") > DEEPEST + steps.count("items"):
            raise invalid(f"You cannot expand more than {DEEPEST} levels of a property.", "expand")
        _expand(books, shown, steps, path)
    return shown


def _expand(books: Books, node: Any, steps: list[str], path: str) -> None:
    if not steps or node is None:
        return
    if isinstance(node, list):
        for one in node:
            _expand(books, one, steps, path)
        return
    if not isinstance(node, dict) or not _has(node, steps[0]):
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    name = steps[0]
    node[name] = _opened(books, node, name, path, last=len(steps) == 1)
    _expand(books, node[name], steps[1:], path)


def _has(node: dict[str, Any], name: str) -> bool:
    return name in node or (node.get("object"), name) in INCLUDED


def _opened(books: Books, node: dict[str, Any], name: str, path: str, *, last: bool) -> Any:
    found: Any = node.get(name)
    inclusion = INCLUDED.get((node.get("object", ""), name))
    if inclusion is not None and found is None:
        return copied(inclusion(books, node))
    if isinstance(found, list):
        return [_by_id(books, one, path) if isinstance(one, str) else one for one in found]
    if isinstance(found, str):
        if name in NEVER_EXPANDED:
            raise invalid(f"This property cannot be expanded ({path}).", "expand")
        return _by_id(books, found, path)
    if last and not isinstance(found, dict | None):
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    return found


def _by_id(books: Books, id_: str, path: str) -> Thing:
    found = books.anything(id_)
    if found is None:
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    return copied(found)
