"""Query strings and forms: read strictly, each parameter once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from tenantry.foundation.problems import FieldError, Invalid, Malformed


def read_query(raw: bytes, *, what: str = "query") -> dict[str, str]:
    """The parameters, or the Problem they are; a form's body is written the same way."""
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=50,
            errors="strict",
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise Malformed(f"The {what} is not well-formed.") from error
    if len(dict(pairs)) != len(pairs):
        raise Malformed(f"Something in the {what} is given twice.")
    if any("\0" in text for _, text in pairs):
        raise Invalid(errors=(FieldError(what, "holds a NUL character"),))
    return dict(pairs)


def refuse_query(raw: bytes) -> None:
    """Say no to an operation's parameters when it takes none."""
    names = tuple(FieldError(f"query.{name[:60]}", "is not known here") for name in read_query(raw))
    raise Invalid(errors=names)
