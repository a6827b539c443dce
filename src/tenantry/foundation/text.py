"""Kinds of text that people give: names, languages, time zones, each with its limits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from msgspec import Meta

from tenantry.foundation.problems import FieldError, Invalid

# Python's `$` also stands before a last line feed, hence what follows it
NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$(?!\n)"

Name = Annotated[
    str, Meta(min_length=1, max_length=120, pattern=NO_CONTROLS, description="A name; no control characters.")
]
Locale = Annotated[
    str,
    Meta(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$(?!\n)", description="A language tag (BCP 47)."),
]
TimeZone = Annotated[str, Meta(max_length=64, description="A time zone's name in the IANA database.")]


@cache
def zones() -> Mapping[str, None]:
    """Every time zone's name, in order."""
    return dict.fromkeys(sorted(available_timezones()))


def check_zone(name: str, *, at: str = "body.timezone") -> None:
    """Refuse a time zone that does not exist."""
    if name not in zones():
        raise Invalid(errors=(FieldError(at, "is not a time zone of the IANA database"),))
