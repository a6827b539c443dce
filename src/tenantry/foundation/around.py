"""`@around`: how a plugin wraps a verb it does not own, as an async generator with one `yield`.

What stands before the `yield` runs before the verb, the rest after it, in the same transaction. The mark only marks: a
wrap is in force where its domain's manifest names it. `wrapping.py` runs them.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Protocol

import msgspec

VERB = "__tenantry_verb__"
"""Where a verb's function says under which name the verb is remembered."""
Generator = Callable[..., AsyncGenerator[None, Any]]


class Wrap(msgspec.Struct, frozen=True):
    """A generator around a verb: what it takes of what the verb is given, and whether the verb can do without it."""

    verb: str
    function: Generator
    takes: Mapping[str, Any]
    optional: bool = False

    @property
    def name(self) -> str:
        """Whose it is and what it is called."""
        return f"{self.function.__module__}.{self.function.__name__}"

    @property
    def sentence(self) -> str:
        """What it is there for."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def taken(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What it takes of what the verb was given, with the verb's own defaults."""
        return {name: given.get(name, default) for name, default in self.takes.items()}


class WrapsAVerb(Protocol):
    """What `around(verb)` is: it makes a wrap of a generator."""

    def __call__(self, function: Generator, /) -> Wrap: ...


def around(verb: Callable[..., Any], *, optional: bool = False) -> WrapsAVerb:
    """Run before and after a verb, in its transaction; `optional` failures are logged and the verb goes on.

    The generator takes the verb's Work (or Call), and by name those of the verb's arguments that it wants.
    """
    name = getattr(verb, VERB, None)
    if name is None:
        raise TypeError(f"{getattr(verb, '__qualname__', verb)} is not a verb")

    def marked(function: Generator) -> Wrap:
        if not inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__} must be an async function with a `yield`")
        return Wrap(name, function, _takes(function, verb), optional)

    return marked


def _takes(function: Generator, verb: Callable[..., Any]) -> dict[str, Any]:
    offered = {one.name: one.default for one in list(inspect.signature(verb).parameters.values())[1:]}
    wanted = list(inspect.signature(function).parameters.values())[1:]
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in wanted):
        return offered
    if unknown := [one.name for one in wanted if one.name not in offered]:
        raise TypeError(f"{function.__qualname__} wants {', '.join(unknown)}, which the verb does not take")
    return {one.name: offered[one.name] for one in wanted}
