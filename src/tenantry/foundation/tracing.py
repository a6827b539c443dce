"""Which questions a verb asks, read off its code, so that nobody has to declare what could then be forgotten.

Follows the names that a function uses through the functions of its own package. What is reached by other ways than a
name, such as a value in a container, is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import isfunction, ismodule, unwrap
from types import CodeType
from typing import Any

from tenantry.foundation.question import Question


def questions_of(function: Callable[..., Any]) -> list[Question[..., Any]]:
    """The questions that a function, and what it calls of its package, can ask; each once, in the order of the code."""
    package = function.__module__.partition(".")[0]
    found: dict[int, Question[..., Any]] = {}
    seen: set[int] = set()
    waiting = [function]
    while waiting:
        one = unwrap(waiting.pop())
        if id(one) in seen or not isfunction(one) or one.__module__.partition(".")[0] != package:
            continue
        seen.add(id(one))
        for used in _used(one):
            if isinstance(used, Question):
                found.setdefault(id(used), used)
            elif isfunction(used):
                waiting.append(used)
    return list(found.values())


def _used(function: Callable[..., Any]) -> Iterator[Any]:
    """What a function's names mean: globals, and members of the modules among them."""
    known = getattr(function, "__globals__", {})
    names = list(_names(function.__code__))
    meant = [known[name] for name in names if name in known]
    yield from meant
    for module in filter(ismodule, meant):
        yield from (vars(module)[name] for name in names if name in vars(module))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
