"""A body as its bytes: for the few operations that must see what came before anything reads it, a signature's say."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Raw(msgspec.Struct, frozen=True):
    """What a request brought, of an allowed type and size, and not read yet; a handler takes it as `raw`."""

    body: bytes
    headers: Mapping[bytes, bytes]

    def header(self, name: bytes) -> str:
        """A header's text; empty where there is none."""
        return self.headers.get(name, b"").decode("latin-1")
