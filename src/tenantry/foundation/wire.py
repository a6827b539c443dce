"""The input, decoded: bytes to strict structs, with every field that is wrong named in one answer.

What a JSON library accepts is more than what we do: depth, duplicate keys and NUL are refused before decoding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any, ClassVar, TypeVar

import msgspec

from tenantry.foundation.problems import FieldError, Invalid, Malformed

MAX_DEPTH = 64
"""Levels of nesting in a JSON body."""
MOST_FAULTS = 50
LONGEST_MESSAGE = 200
Shape = TypeVar("Shape", bound=msgspec.Struct)
# one that never ends counts as well: if only a whole one did, each quote in it would be tried as a beginning
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_MESSAGE = re.compile(r" - at `([^`]*)`$")


class Wire(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The shape of something sent to us or by us; a field it does not know is refused.

    `described` is what its handler also asks of it, as JSON Schema for the document; one that is `optional` may be left
    out altogether, and then has what its fields have by themselves.
    """

    described: ClassVar[Mapping[str, Any]] = {}
    optional: ClassVar[bool] = False


@cache
def _decoder(kind: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode(body: bytes, kind: type[Shape]) -> Shape:
    """The body as the shape it must have, or the Problem that says everything that is wrong with it."""
    if not body and getattr(kind, "optional", False):
        return kind()
    _refuse_tricks(body)
    try:
        shape = _shaped(body, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("The body is not valid JSON in UTF-8.") from error
    # last, because it is the slow look: by now the body is one of ours, few members and no deep nest
    _refuse_duplicates(body)
    return shape


def _shaped(body: bytes, kind: type[Shape]) -> Shape:
    try:
        shape: Shape = _decoder(kind).decode(body)
    except msgspec.ValidationError as error:
        raise Invalid(errors=_every_fault(body, kind, error)) from error
    return shape


def _refuse_tricks(body: bytes) -> None:
    if not body:
        raise Malformed("The request needs a body.")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _too_deep(body):
        raise Malformed(f"The body is nested deeper than {MAX_DEPTH} levels.")
    if b"\\u0000" in body or b"\0" in body:
        _refuse_nul(body)


def _too_deep(body: bytes) -> bool:
    depth = 0
    for mark in re.finditer(rb"[\[{\]}]", _STRING.sub(b"", body)):
        depth += 1 if mark.group() in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _refuse_nul(body: bytes) -> None:
    # an escaped backslash before u0000 is plain text, so count the backslashes
    if b"\0" in body or re.search(rb"(?<!\\)(?:\\\\)*\\u0000", body):
        raise Invalid("Text may not hold the NUL character.", errors=(FieldError("body", "holds a NUL character"),))


def _refuse_duplicates(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=_distinct, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        if isinstance(error, _Twice):
            raise Malformed(f"The member {error.name!r} is given twice.") from error
        raise Malformed("The body is not valid JSON in UTF-8.") from error


class _Twice(ValueError):
    def __init__(self, name: str) -> None:
        self.name = name[:60]
        super().__init__(name)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        raise _Twice(next(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
    return members


def _every_fault(body: bytes, kind: type[msgspec.Struct], first: msgspec.ValidationError) -> tuple[FieldError, ...]:
    try:
        members = msgspec.json.decode(body)
    except msgspec.ValidationError:
        # a number that nothing here can hold; what is no JSON behind the first fault stays a DecodeError
        return (_fault("body", first),)
    if not isinstance(members, dict):
        return (_fault("body", first),)
    return tuple(_field_faults(members, kind, "body")) or (_fault("body", first),)


@cache
def lists_of(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of a shape that are lists, by the names that they are sent by."""
    shapes = ((field.encode_name, msgspec.inspect.type_info(field.type)) for field in msgspec.structs.fields(kind))
    return frozenset(name for name, shape in shapes if isinstance(shape, msgspec.inspect.ListType))


def decode_query(values: Mapping[str, str | list[str]], kind: type[Shape], *, at: str = "query") -> Shape:
    """A query string or form as the shape it must have; text is converted where the field says so."""
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        faults = tuple(_field_faults(values, kind, at, strict=False)) or (_fault(at, error),)
        raise Invalid(errors=faults) from error


def _field_faults(
    members: Mapping[str, Any], kind: type[msgspec.Struct], at: str, *, strict: bool = True
) -> list[FieldError]:
    faults = []
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name not in members:
            if field.required:
                faults.append(FieldError(f"{at}.{name}", "is missing"))
            continue
        try:
            msgspec.convert(members[name], field.type, strict=strict)
        except msgspec.ValidationError as error:
            faults.append(_fault(f"{at}.{name}", error))
    unknown = (name for name in members if name not in fields)
    faults += [FieldError(f"{at}.{name[:60]}", "is not known here") for name in islice(unknown, MOST_FAULTS)]
    return faults


def _fault(at: str, error: msgspec.ValidationError) -> FieldError:
    message = str(error)
    place = _MESSAGE.search(message)
    return FieldError(
        at + (place.group(1).removeprefix("$") if place else ""), _MESSAGE.sub("", message)[:LONGEST_MESSAGE]
    )
