"""Sealing: secrets that must be read again are stored encrypted and bound to their place.

AES-256-GCM under a key derived from a master key. A sealed value names its key, so that rotation finds what
is left to seal again, and opens only where it was put: another row's value copied over it does not.
"""

from __future__ import annotations

import enum
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantry.foundation.security.keys import MasterKeys

PURPOSE = "sealing"
_FORMAT = 1
_NONCE = 12
_TAG = 16


class SealFault(enum.StrEnum):
    """Why a sealed value does not open."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    ALTERED = "altered"


class SealBroken(Exception):
    """A sealed value was altered, moved to another place, or its key is gone."""

    def __init__(self, fault: SealFault) -> None:
        self.fault = fault
        super().__init__(fault.value)


def place(table: str, column: str, *, org: object, row: object) -> str:
    """Where a sealed value lives, `table|column|org|row`; org is empty for rows that belong to no org."""
    parts = (table, column, "" if org is None else str(org), str(row))
    if any("|" in part for part in parts):
        raise ValueError("a place's parts hold no |")
    return "|".join(parts)


class Sealer:
    """Seals under the first master key, opens under any."""

    def __init__(self, master: MasterKeys) -> None:
        self._ciphers = {key_id: AESGCM(master.derive(PURPOSE, key_id)) for key_id in master.ids}
        self._first = master.first

    def seal(self, plain: bytes, *, aad: str) -> bytes:
        """Encrypt for one place; the same value sealed twice differs."""
        head, nonce = _head(self._first), os.urandom(_NONCE)
        return head + nonce + self._ciphers[self._first].encrypt(nonce, plain, head + aad.encode())

    def open(self, blob: bytes, *, aad: str) -> bytes:
        """Decrypt what was sealed for this place, or raise SealBroken."""
        key_id, head = _read_head(blob)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken(SealFault.UNKNOWN_KEY)
        nonce_end = len(head) + _NONCE
        try:
            return cipher.decrypt(blob[len(head) : nonce_end], blob[nonce_end:], head + aad.encode())
        except InvalidTag:
            raise SealBroken(SealFault.ALTERED) from None

    def needs_reseal(self, blob: bytes) -> bool:
        """Whether it was sealed under a key that is no longer the first."""
        return _read_head(blob)[0] != self._first


def _head(key_id: str) -> bytes:
    return bytes((_FORMAT, len(key_id))) + key_id.encode("ascii")


def _read_head(blob: bytes) -> tuple[str, bytes]:
    end = 2 + blob[1] if len(blob) > 1 and blob[0] == _FORMAT else 0
    if not end or len(blob) < end + _NONCE + _TAG:
        raise SealBroken(SealFault.MALFORMED)
    return blob[2:end].decode("ascii", "replace"), blob[:end]
