"""Query strings and forms: read strictly, each parameter once, unless it is a list in a form."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import parse_qsl

from tenantry.foundation.problems import FieldError, Invalid, Malformed

MOST_GIVEN = 50
"""Parameters of a query, and fields of a form."""
MOST_IN_LISTS = 200
"""The same of a form that has lists, with all that is in these."""


def read_query(raw: bytes) -> dict[str, str]:
    """The parameters, or the Problem they are."""
    return _each_once(_pairs(raw, "query", MOST_GIVEN), "query")


def read_form(raw: bytes, lists: Collection[str] = ()) -> dict[str, str | list[str]]:
    """What was filled in; each of the `lists` may come more than once. What was left empty is not there."""
    pairs = _pairs(raw, "form", MOST_IN_LISTS if lists else MOST_GIVEN) if raw else []
    once = _each_once([(name, text) for name, text in pairs if name not in lists], "form")
    several = {name: [text for key, text in pairs if key == name and text] for name in lists}
    return {name: given for name, given in (once | several).items() if given}


def _pairs(raw: bytes, what: str, most: int) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=most,
            errors="strict",
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise Malformed(f"The {what} is not well-formed.") from error
    if any("\0" in text for _, text in pairs):
        raise Invalid(errors=(FieldError(what, "holds a NUL character"),))
    return pairs


def _each_once(pairs: list[tuple[str, str]], what: str) -> dict[str, str]:
    if len(dict(pairs)) != len(pairs):
        raise Malformed(f"Something in the {what} is given twice.")
    return dict(pairs)


def refuse_query(raw: bytes) -> None:
    """Say no to an operation's parameters when it takes none."""
    names = tuple(FieldError(f"query.{name[:60]}", "is not known here") for name in read_query(raw))
    raise Invalid(errors=names)
