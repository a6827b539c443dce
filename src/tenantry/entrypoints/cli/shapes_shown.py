"""A file that a setting names, as the reference shows it: each key, what it takes, its default and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import Any

from msgspec import NODEFAULT, inspect

HOLDS = "holds"
"""What the note of a setting calls the struct that its file is read into."""


def keys_of(shape: type[Any]) -> Iterator[Sequence[str]]:
    """A row for each key, those inside behind the one that they are in."""
    yield from _rows(inspect.type_info(shape), "")


def _rows(kind: Any, above: str) -> Iterator[Sequence[str]]:
    for field in kind.fields:
        plain, meaning = _plain(field.type)
        path = f"{above}{field.encode_name}"
        yield f"`{path}`", _spoken(plain), "needed" if field.required else _default(field), meaning
        inner, place = (plain.item_type, "[].") if isinstance(plain, inspect.VarTupleType) else (plain, ".")
        if isinstance(inner, inspect.StructType):
            yield from _rows(inner, path + place)


def _plain(kind: Any) -> tuple[Any, str]:
    """What is taken, without its sentence and without that it may be absent."""
    meaning = ""
    if isinstance(kind, inspect.Metadata):
        kind, meaning = kind.type, (kind.extra_json_schema or {}).get("description", "")
    if isinstance(kind, inspect.UnionType):
        [kind] = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
    return kind, meaning


def _default(field: inspect.Field) -> str:
    if field.default is NODEFAULT or field.default in (None, ()):
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


@singledispatch
def _spoken(kind: Any) -> str:
    raise TypeError(f"the reference has no words for {kind}")


@_spoken.register
def _(kind: inspect.StructType) -> str:
    return "table"


@_spoken.register
def _(kind: inspect.BoolType) -> str:
    return "`true` or `false`"


@_spoken.register
def _(kind: inspect.LiteralType) -> str:
    return " or ".join(f"`{value}`" for value in kind.values)


@_spoken.register
def _(kind: inspect.VarTupleType) -> str:
    return f"list, each a {_spoken(_plain(kind.item_type)[0])}"


@_spoken.register
def _(kind: inspect.DictType) -> str:
    return f"table, from {_spoken(kind.key_type)} to {_spoken(kind.value_type)}"


@_spoken.register
def _(kind: inspect.IntType) -> str:
    return " ".join(["number", *_bounds(kind.ge, kind.le)])


@_spoken.register
def _(kind: inspect.StrType) -> str:
    if kind.pattern is not None:
        return f"text `{kind.pattern}`"
    return " ".join(["text", *_bounds(kind.min_length, kind.max_length, "characters")])


def _bounds(least: int | None, most: int | None, unit: str = "") -> Iterator[str]:
    found = [f"{word} {bound:,}" for word, bound in (("from", least), ("to", most)) if bound is not None]
    yield from found
    if found and unit:
        yield unit
