"""Refresh tokens: a session and a counter under a MAC, told from garbage before any database is asked.

The text is `tnr_` and the base64url of: version (1 byte), session (16), counter (4), HMAC-SHA-256 cut to 128
bits (16), CRC-32 of all that (4). The checksum lets a secret scanner recognise one without a key.
"""

from __future__ import annotations

import hmac
import zlib
from uuid import UUID

import msgspec

from tenantry.foundation.security.keys import MasterKeys
from tenantry.foundation.security.tokens import BadToken, Reason, from_base64url, to_base64url

PURPOSE = "refresh tokens"
PREFIX = "tnr_"
COUNTER_LIMIT = 2**32
_VERSION = 1
_CLAIM, _MAC, _CHECKSUM = 1 + 16 + 4, 16, 4
_BYTES = _CLAIM + _MAC + _CHECKSUM
_CHARACTERS = len(PREFIX) + (_BYTES * 8 + 5) // 6


class RefreshClaim(msgspec.Struct, frozen=True):
    """What a genuine refresh token says: which session, and how often it had been rotated."""

    session: UUID
    counter: int


class Refresh:
    """Makes and reads refresh tokens; those made under an older master key still count."""

    def __init__(self, master: MasterKeys) -> None:
        self._keys = master.derive_each(PURPOSE)

    def issue(self, session: UUID, counter: int) -> str:
        """The token of a session's generation: always the same text under one master key."""
        claim = bytes((_VERSION,)) + session.bytes + counter.to_bytes(4, "big")
        sealed = claim + _mac(self._keys[0], claim)
        return PREFIX + to_base64url(sealed + _checksum(sealed))

    def read(self, text: str) -> RefreshClaim:
        """The session and counter of a token that was issued here, else BadToken."""
        if len(text) != _CHARACTERS or not text.startswith(PREFIX):
            raise BadToken(Reason.MALFORMED)
        raw = from_base64url(text[len(PREFIX) :])
        if raw[-_CHECKSUM:] != _checksum(raw[:-_CHECKSUM]):
            raise BadToken(Reason.CHECKSUM)
        self._require_mac(raw[:_CLAIM], raw[_CLAIM:-_CHECKSUM])
        return RefreshClaim(UUID(bytes=raw[1:17]), int.from_bytes(raw[17:_CLAIM], "big"))

    def _require_mac(self, claim: bytes, mac: bytes) -> None:
        fits = [hmac.compare_digest(mac, _mac(key, claim)) for key in self._keys]
        if not any(fits) or claim[0] != _VERSION:
            raise BadToken(Reason.SIGNATURE)


def _mac(key: bytes, claim: bytes) -> bytes:
    return hmac.digest(key, claim, "sha256")[:_MAC]


def _checksum(sealed: bytes) -> bytes:
    return zlib.crc32(sealed).to_bytes(_CHECKSUM, "big")
