"""What the SDK's own classes say an object has: every field that is not optional, with its kind, all the way down."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import types
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import stripe
from stripe._object_classes import OBJECT_CLASSES

_IMPORT = re.compile(r"^\s+from (stripe\.[\w.]+) import \(?\s*(\w+)(?: as (\w+))?", re.MULTILINE)


def class_of(kind: str) -> type[stripe.StripeObject]:
    module, name = OBJECT_CLASSES[kind]
    return getattr(importlib.import_module(module), name)


def fields(cls: type) -> dict[str, Any]:
    """The annotations, with the names that the SDK imports for type checkers only."""
    names = {}
    for module, name, other in _IMPORT.findall(inspect.getsource(sys.modules[cls.__module__])):
        names[other or name] = getattr(importlib.import_module(module), name)
    return {
        name: hint
        for name, hint in get_type_hints(cls, localns=names).items()
        if name[0] != "_" and name != "OBJECT_NAME"
    }


def faults(thing: Any, cls: type, place: str = "") -> Iterator[str]:
    """What is missing, or of another kind than the class says."""
    for name, hint in fields(cls).items():
        optional = type(None) in get_args(hint)
        here = f"{place}.{name}"
        if name not in thing:
            if not optional:
                yield f"{here} is missing"
        elif thing[name] is None:
            if not optional:
                yield f"{here} is null"
        else:
            yield from _wrong(thing[name], hint, here)


def _wrong(value: Any, hint: Any, place: str) -> Iterator[str]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        found = [list(_wrong(value, one, place)) for one in inner if one is not type(None)]
        if all(found):
            yield from min(found, key=len)
    elif origin is Literal:
        if value not in inner:
            yield f"{place} is {value!r}"
    elif origin is list:
        yield from _wrong_list(value, inner[0], place)
    elif hint is Any:
        return
    elif inspect.isclass(origin or hint) and issubclass(origin or hint, stripe.StripeObject):
        yield from _wrong_object(value, origin or hint, inner, place)
    elif not isinstance(value, _PLAIN.get(hint, object)) or (hint is not bool and isinstance(value, bool)):
        yield f"{place} is {value!r} and no {hint}"


_PLAIN: dict[Any, Any] = {int: int, str: str, bool: bool, float: (int, float), Decimal: str}


def _wrong_list(value: Any, inner: Any, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place} is no list"
        return
    for one in value:
        yield from _wrong(one, inner, f"{place}[]")


def _wrong_object(value: Any, cls: type, inner: tuple[Any, ...], place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is {value!r} and no {cls.__name__}"
    elif cls is stripe.ListObject:
        yield from _wrong_list(value.get("data"), inner[0] if inner else Any, place)
    elif cls.__name__ == "UntypedStripeObject":
        # an event's object says itself what it is
        yield from faults(value, class_of(value["object"]), place) if isinstance(value.get("object"), str) else ()
    elif isinstance(value.get("object"), str) and class_of(value["object"]).__name__ != cls.__name__:
        yield f"{place} is a {value['object']} and no {cls.__name__}"
    else:
        yield from faults(value, cls, place)
