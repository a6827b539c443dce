"""Which annotations of a struct's field fit which PostgreSQL type, as asyncpg hands its values over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin
from uuid import UUID

_WHOLE = ("int2", "int4", "int8", "oid", "xid", "xid8", "cid", "pg_lsn")
_TEXT = ("text", "varchar", "bpchar", "name", "json", "jsonb", "xml", "money", "macaddr", "macaddr8")
_ARRIVES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_WHOLE, (int,)),
    **dict.fromkeys(_TEXT, (str,)),
    "bool": (bool,),
    "float4": (float,),
    "float8": (float,),
    "numeric": (Decimal,),
    "uuid": (UUID,),
    "bytea": (bytes,),
    "char": (bytes,),
    "date": (date,),
    "time": (time,),
    "timetz": (time,),
    "timestamp": (datetime,),
    "timestamptz": (datetime,),
    "interval": (timedelta,),
    "inet": (IPv4Address, IPv6Address),
    "cidr": (IPv4Network, IPv6Network),
}
_NEVER_FITS = frozenset(
    (
        "record",
        "void",
        "tid",
        "bit",
        "varbit",
        "pg_snapshot",
        "txid_snapshot",
        "point",
        "line",
        "lseg",
        "box",
        "path",
        "polygon",
        "circle",
    )
)
_STANDS_FOR = {IPv4Interface: IPv4Address, IPv6Interface: IPv6Address}


def takes_none(annotation: Any) -> bool:
    """Whether a field may hold None."""
    return any(choice in (NoneType, Any, object) for choice in _choices(annotation))


def fits(kind: str, type_name: str, annotation: Any) -> bool:
    """Whether a field takes every value of a column, null apart."""
    choices = [choice for choice in _choices(annotation) if choice is not NoneType]
    if Any in choices or object in choices:
        return True
    if kind == "array":
        return any(_takes_array(type_name.removesuffix("[]"), choice) for choice in choices)
    return bool(choices) and kind == "scalar" and _takes_scalar(type_name, choices)


def spelled(annotation: Any) -> str:
    """The annotation as one writes it."""
    return annotation.__name__ if isinstance(annotation, (type, NewType)) else str(annotation).replace("typing.", "")


def _takes_scalar(type_name: str, choices: Sequence[Any]) -> bool:
    if type_name in _NEVER_FITS:
        return False
    # what asyncpg has no codec for (enums, citext and other extensions) arrives as text
    arrives = _ARRIVES.get(type_name, (str,))
    return all(any(_holds(choice, python) for choice in choices) for python in arrives)


def _takes_array(element: str, choice: Any) -> bool:
    arguments = get_args(choice)
    if get_origin(choice) is tuple and arguments[1:] != (...,):
        return False
    if get_origin(choice) not in (list, tuple, Sequence) or not arguments:
        return False
    return fits("scalar", element, arguments[0])


def _holds(choice: Any, python: type) -> bool:
    if get_origin(choice) is Literal:
        return all(type(value) is python for value in get_args(choice))
    choice = _STANDS_FOR.get(choice, choice)
    # an exact match, because a bool column in an int field, or an instant in a date field, is a mistake
    return choice is python or (isinstance(choice, type) and issubclass(choice, Enum) and issubclass(choice, python))


def _choices(annotation: Any) -> Iterable[Any]:
    if isinstance(annotation, NewType):
        return _choices(annotation.__supertype__)
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [choice for member in get_args(annotation) for choice in _choices(member)]
    return [NoneType if annotation is None else annotation]
