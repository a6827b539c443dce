"""What all tokens share: one way to be refused, and one spelling of base64url."""

from __future__ import annotations

import base64
import binascii
import enum


class Reason(enum.StrEnum):
    """Why a token is refused; for logs and metrics, a client is told one thing only."""

    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    CHECKSUM = "checksum"
    HEADER = "header"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    NOT_YET = "not_yet"
    EXPIRED = "expired"


class BadToken(Exception):
    """A token that is refused; it never carries the token."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.value)


def to_base64url(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Decode the one canonical spelling; padding, stray characters and loose tail bits are BadToken."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise BadToken(Reason.MALFORMED) from None
    # The decoder skips what it does not know and drops tail bits: only what encodes back to itself passes.
    if to_base64url(raw) != text:
        raise BadToken(Reason.MALFORMED)
    return raw
