"""Cursors: where a list goes on, sealed, so that a client can bring it back but neither read, make nor move it.

AES-SIV (RFC 5297) under a key of its own: it needs no nonce, so the same place is always the same text, however many
are handed out. What a cursor is bound to is authenticated beside it and not stored in it.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from tenantry.foundation.security.keys import MasterKeys
from tenantry.foundation.security.tokens import BadToken, Reason, from_base64url, to_base64url

PURPOSE = "cursors"


class Cursors:
    """Seals under the first master key, opens under any."""

    def __init__(self, master: MasterKeys) -> None:
        self._ciphers = [AESSIV(key) for key in master.derive_each(PURPOSE)]

    def seal(self, place: bytes, *, bound: bytes) -> str:
        """The cursor of a place, good only where the same is bound to it again."""
        return to_base64url(self._ciphers[0].encrypt(place, [bound]))

    def open(self, text: str, *, bound: bytes) -> bytes:
        """The place, or BadToken for whatever was not sealed here and for this."""
        sealed = from_base64url(text)
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed, [bound])
            except InvalidTag:
                continue
        raise BadToken(Reason.SIGNATURE)
