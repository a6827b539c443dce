"""The console's files: our own, and those of others as fetched at set-up; a browser keeps each version for ever."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.endpoint import Endpoint
from tenantry.entrypoints.http.reply import Reply

OWN, FETCHED = Path(__file__).parent / "own", Path(__file__).parent / "fetched"
NEEDED = ("tabler.min.css", "htmx.min.js", "uPlot.iife.min.js", "uPlot.min.css")
"""The files of others that pages refer to."""
PLACE = "/console/assets"
KINDS = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8"}
PACKED = (b"content-encoding", b"gzip")
FOR_EVER, FOR_AN_HOUR = b"public, max-age=31536000, immutable", b"public, max-age=3600"


class Asset(msgspec.Struct, frozen=True):
    """A file that pages refer to, plain and packed; its version is made of what is in it."""

    name: str
    kind: bytes
    content: bytes
    packed: bytes
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Every file that there is, by name."""
    found = [path for folder in (OWN, FETCHED) if folder.is_dir() for path in sorted(folder.iterdir())]
    return {path.name: _read(path) for path in found if path.suffix in KINDS}


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:16]
    return Asset(path.name, KINDS[path.suffix], content, gzip.compress(content, mtime=0), version)


def asset_url(name: str) -> str:
    """Where a page finds a file as it is now."""
    return f"{PLACE}/{name}?v={assets()[name].version}"


def missing() -> tuple[str, ...]:
    """The files of others that were not fetched."""
    return tuple(name for name in NEEDED if name not in assets())


def console_assets() -> Iterator[tuple[str, Endpoint]]:
    """Each file's path and what answers there."""
    for asset in assets().values():
        yield f"{PLACE}/{asset.name}", _given(asset)


def _given(asset: Asset) -> Endpoint:
    asked_for = f"v={asset.version}".encode()
    # whoever asks for a version that is no more gets what there is, and asks again soon
    ways = {
        (packed, lasting): Reply(
            200,
            asset.packed if packed else asset.content,
            [
                (b"content-type", asset.kind),
                (b"vary", b"accept-encoding"),
                *([(b"content-encoding", b"gzip")] * packed),
            ],
            caching=FOR_EVER if lasting else FOR_AN_HOUR,
        )
        for packed in (False, True)
        for lasting in (False, True)
    }

    async def give(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        packed = b"gzip" in arrival.headers.get(b"accept-encoding", b"")
        return ways[packed, scope["query_string"] == asked_for]

    return give
