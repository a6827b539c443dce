"""Which headers a caller may send: plain text, and none by which the request itself is framed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
OURS = frozenset({
    "accept-encoding", "connection", "content-encoding", "content-length", "cookie", "expect", "host", "http2-settings",
    "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "via",
})  # fmt: skip
"""Names, in lower case, that no caller sets: they frame the request, or change what the connection is for."""


def checked(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as they are sent; `ValueError` for one that may not be, which whoever took it should have said."""
    for name, value in headers.items():
        if fault := fault_of_header(name, value):
            raise ValueError(f"a header {fault}")
    return {"User-Agent": "Tenantry", **headers, "Accept-Encoding": "identity"}


def fault_of_header(name: str, value: str) -> str | None:
    """What is wrong with a header, in words that go on after it; neither name nor value is repeated."""
    if fault := _fault_of_name(name):
        return fault
    # what is not ASCII has no one meaning in a header
    sound = value.isascii() and value.isprintable() and value == value.strip()
    return None if sound else "may hold visible ASCII characters only, and spaces between them"


@lru_cache(256)
def _fault_of_name(name: str) -> str | None:
    if not TOKEN.fullmatch(name):
        return "must have a name of letters, digits and hyphens"
    return "may not be one that frames the request" if name.lower() in OURS else None
