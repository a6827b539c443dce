"""One-time tokens for mailed links: derived from a row, never stored.

The text is `id.HMAC(key, purpose|id|generation)`. The row keeps the generation; raising it kills every token
made before. A leaked table, log or mail job holds no live link; a mail sent twice holds the same one.
"""

from __future__ import annotations

import hmac
from uuid import UUID

from tenantry.foundation.security.keys import MasterKeys
from tenantry.foundation.security.tokens import BadToken, Reason, from_base64url, to_base64url

PURPOSE = "one-time tokens"
_ID = 22
# 256 bits; 43 characters, of which the last is never - or _, so that no mail program cuts it off a link.
_MAC = 43


class OneTime:
    """Makes and checks one-time tokens; those made under an older master key still count."""

    def __init__(self, master: MasterKeys) -> None:
        self._keys = master.derive_each(PURPOSE)

    def issue(self, purpose: str, id: UUID, generation: int) -> str:
        """The token of one row, purpose and generation: always the same text, 66 characters."""
        return f"{to_base64url(id.bytes)}.{_mac(self._keys[0], purpose, id, generation)}"

    def read(self, text: str) -> UUID:
        """Which row a token is about, to look it up; says nothing yet about whether it is genuine."""
        name, dot, mac = text[:_ID], text[_ID : _ID + 1], text[_ID + 1 :]
        if dot != "." or len(mac) != _MAC:
            raise BadToken(Reason.MALFORMED)
        from_base64url(mac)
        return UUID(bytes=from_base64url(name))

    def verify(self, purpose: str, id: UUID, generation: int, text: str) -> bool:
        """Whether this text is the token of that row, purpose and generation."""
        given = text.encode("utf-8", "replace")
        prefix = f"{to_base64url(id.bytes)}."
        genuine = [f"{prefix}{_mac(key, purpose, id, generation)}".encode() for key in self._keys]
        # Every key is compared, whichever fits, so that the time does not tell which one did.
        fits = [hmac.compare_digest(given, text) for text in genuine]
        return any(fits)


def _mac(key: bytes, purpose: str, id: UUID, generation: int) -> str:
    return to_base64url(hmac.digest(key, f"{purpose}|{id}|{generation}".encode(), "sha256"))
