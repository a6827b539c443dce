"""Visits: what a browser holds of its session, under a MAC, told from garbage before any database is asked.

The text is the base64url of: version (1 byte), person (16), session (16), Unix seconds when it was written (8),
HMAC-SHA-256 (32). It names the session and nothing else can be made of it: no access or refresh token.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from uuid import UUID

import msgspec

from tenantry.foundation.data.clock import Clock
from tenantry.foundation.security.keys import MasterKeys
from tenantry.foundation.security.tokens import BadToken, Reason, from_base64url, to_base64url

IDLE = timedelta(days=30)
"""A browser that does not come back for this time is signed out."""
RENEWED_AFTER = timedelta(hours=1)
"""A browser's use is written down, and its cookie renewed, once in this time."""
_VERSION = b"\1"
_CLAIM, _MAC = 1 + 16 + 16 + 8, 32
_CHARACTERS = ((_CLAIM + _MAC) * 8 + 5) // 6


class Visit(msgspec.Struct, frozen=True):
    """What a genuine cookie says: who, by which session, and how many seconds ago it was written."""

    person: UUID
    session: UUID
    age: float
    renewed_after: timedelta = RENEWED_AFTER

    @property
    def stale(self) -> bool:
        """Whether it is time to write the use down and to renew the cookie."""
        return self.age > self.renewed_after.total_seconds()


class Kind(msgspec.Struct, frozen=True):
    """Whose browsers: what their texts are made for, how long one may stay away, and when it is written down."""

    purpose: str
    idle: timedelta
    renewed_after: timedelta


PEOPLE = Kind("visits", IDLE, RENEWED_AFTER)
OPERATORS = Kind("visits of operators", timedelta(hours=1), timedelta(minutes=5))


class Visits:
    """Makes and reads the cookies' texts; those made under an older master key still count."""

    def __init__(self, master: MasterKeys, clock: Clock, kind: Kind = PEOPLE) -> None:
        self._keys = master.derive_each(kind.purpose)
        self.kind = kind
        self._clock = clock

    def issue(self, person: UUID, session: UUID) -> str:
        """The text for a browser that is being used now."""
        claim = _VERSION + person.bytes + session.bytes + int(self._clock.seconds()).to_bytes(8, "big")
        return to_base64url(claim + _mac(self._keys[0], claim))

    def read(self, text: str) -> Visit:
        """The visit of a text that was issued here and is not too old, else BadToken."""
        if len(text) != _CHARACTERS:
            raise BadToken(Reason.MALFORMED)
        raw = from_base64url(text)
        claim, mac = raw[:_CLAIM], raw[_CLAIM:]
        fits = [hmac.compare_digest(mac, _mac(key, claim)) for key in self._keys]
        if not any(fits) or not claim.startswith(_VERSION):
            raise BadToken(Reason.SIGNATURE)
        age = self._clock.seconds() - int.from_bytes(claim[33:], "big")
        if age > self.kind.idle.total_seconds():
            raise BadToken(Reason.EXPIRED)
        return Visit(UUID(bytes=claim[1:17]), UUID(bytes=claim[17:33]), age, self.kind.renewed_after)


def _mac(key: bytes, claim: bytes) -> bytes:
    return hmac.digest(key, claim, "sha256")
