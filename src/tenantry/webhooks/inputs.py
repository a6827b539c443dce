"""What people say about webhook endpoints: URLs, types, headers and versions, each with its limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated

from msgspec import Meta

from tenantry.foundation.problems import FieldError, Invalid
from tenantry.webhooks.models import LONGEST_HEADER, LONGEST_OVERLAP, MOST_HEADERS, MOST_TYPES

EndpointUrl = Annotated[
    str, Meta(min_length=1, max_length=2048, description="Where to send to: https, a host on the public internet.")
]
EventType = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\.([a-z][a-z0-9_]*|\*)$(?!\n)",
        description="A type such as `member.joined`, or all that begin alike: `member.*`.",
    ),
]
EventTypes = Annotated[list[EventType], Meta(max_length=MOST_TYPES, description="What it is told; none: everything.")]
Description = Annotated[
    str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$(?!\n)", description="What it is for, in one line.")
]
Headers = Annotated[
    dict[str, str],
    Meta(max_length=MOST_HEADERS, description="Headers that it is sent beside ours; nobody is shown their values."),
]
PayloadVersion = Annotated[date, Meta(description="Each type is told in the newest version that had come by this day.")]
Overlap = Annotated[
    int,
    Meta(
        ge=0,
        le=int(LONGEST_OVERLAP.total_seconds()),
        description="Seconds for which what is sent is signed with the secret before as well.",
    ),
]
NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
VALUE = re.compile(rf"[\x21-\x7e]([\x20-\x7e]{{0,{LONGEST_HEADER - 2}}}[\x21-\x7e])?")
# what frames a request, says where it comes from, or is ours to say
OURS = frozenset({
    "accept-encoding", "connection", "cookie", "expect", "forwarded", "host", "http2-settings", "keep-alive",
    "set-cookie", "te", "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "user-agent", "via",
})  # fmt: skip
OUR_STARTS = ("content-", "proxy-", "sec-", "webhook-", "x-forwarded-")


def read_types(given: Sequence[str], known: Iterable[str]) -> list[str]:
    """The types, each once; Invalid where one is told by nothing that is installed."""
    there = set(known)
    faults = tuple(
        FieldError(f"body.events[{place}]", "is no type that is told here, and none begins so")
        for place, one in enumerate(given)
        if not (any(type.startswith(one[:-1]) for type in there) if one.endswith(".*") else one in there)
    )
    if faults:
        raise Invalid(errors=faults)
    return list(dict.fromkeys(given))


def read_headers(given: Mapping[str, str]) -> dict[str, str]:
    """The headers as they are sent; Invalid, naming each that may not be, and never its value."""
    if faults := tuple(_header_faults(given)):
        raise Invalid(errors=faults)
    return dict(given)


def _header_faults(given: Mapping[str, str]) -> Iterator[FieldError]:
    seen = set[str]()
    for name, value in given.items():
        if fault := _fault_of(name, value) or ("is there twice" if name.lower() in seen else None):
            yield FieldError(f"body.headers.{name[:64]}", fault)
        seen.add(name.lower())


def _fault_of(name: str, value: str) -> str | None:
    if not NAME.fullmatch(name):
        return "is no name of a header: a letter, then letters, digits and hyphens"
    if name.lower() in OURS or name.lower().startswith(OUR_STARTS):
        return "is not for endpoints to choose"
    if not VALUE.fullmatch(value):
        return f"has a value that is not 1 to {LONGEST_HEADER} visible ASCII characters"
    return None


def read_payload_version(given: date | None, today: date) -> date:
    """The day that an endpoint is pinned to, today unless it says otherwise; Invalid for one that has not come."""
    if given is not None and given > today:
        raise Invalid(errors=(FieldError("body.payload_version", "has not come yet"),))
    return given or today
