"""The signature under a notice: over the bytes as they came, with any of our secrets, not too long ago nor ahead."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from datetime import datetime

from tenantry.foundation.security.secret import Secret

TOLERANCE = 300
"""Seconds between Stripe's clock and ours, either way."""
LONGEST_HEADER = 4096
SCHEME = "v1"


def signed(body: bytes, header: str, secrets: Iterable[Secret[bytes]], now: datetime) -> bool:
    """Whether Stripe said this, and just now."""
    if len(header) > LONGEST_HEADER or not header.isascii():
        return False
    parts = [part.partition("=") for part in header.split(",")]
    moments = [given for name, _, given in parts if name == "t"]
    given = [given for name, _, given in parts if name == SCHEME]
    if len(moments) != 1 or not moments[0].isdigit() or len(moments[0]) > 12:
        return False
    if abs(now.timestamp() - int(moments[0])) > TOLERANCE:
        return False
    # all are compared, so that no time tells which one it was
    found = [hmac.compare_digest(one, known) for known in _due(body, moments[0], secrets) for one in given]
    return any(found)


def _due(body: bytes, moment: str, secrets: Iterable[Secret[bytes]]) -> Iterator[str]:
    for secret in secrets:
        if key := secret.reveal():
            yield hmac.digest(key, moment.encode() + b"." + body, "sha256").hex()
