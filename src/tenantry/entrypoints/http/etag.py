"""ETags: the version of a row, marked with where and by whom it was read, so that it means nothing to anybody else."""

from __future__ import annotations

import re
import zlib

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.foundation.call import Actor
from tenantry.foundation.problems import Malformed, VersionMismatch

_TAG = re.compile(r'"v([0-9]{1,9})-([0-9a-f]{8})"', re.ASCII)


def mark_of(path: str, actor: Actor, arrival: Arrival) -> str:
    """What tells tags of different readers and places apart."""
    reader = actor.person.bytes if actor.person else arrival.key or b""
    return f"{zlib.crc32(path.encode() + reader):08x}"


def write_tag(version: int, mark: str) -> bytes:
    """The `ETag` of a version."""
    return f'"v{version}-{mark}"'.encode()


def read_tag(text: str | None, mark: str) -> int | None:
    """The version that an `If-Match` insists on; None where it insists on nothing."""
    if text is None or text == "*":
        return None
    tag = _TAG.fullmatch(text)
    if tag is None:
        raise Malformed("If-Match takes the ETag that was answered.")
    if tag.group(2) != mark:
        raise VersionMismatch
    return int(tag.group(1))
