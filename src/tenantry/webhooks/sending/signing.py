"""Signing by Standard Webhooks 1.0.0: the id, the moment of the attempt and the body, by each secret that counts."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable


def signature(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """One signature, `v1,` and base64 of the HMAC-SHA256 of `id.timestamp.body`."""
    signed = b"%s.%d.%s" % (id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def signatures(secrets: Iterable[bytes], id: str, timestamp: int, body: bytes) -> str:
    """One for each secret, so that whoever has the new one or still the old one is content."""
    return " ".join(signature(secret, id, timestamp, body) for secret in secrets)
