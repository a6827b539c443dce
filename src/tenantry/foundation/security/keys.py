"""The master keys, and the keys derived from them, one for each purpose.

The first master key makes what is new, all of them open what is old: rotation is putting a new one in front.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from typing import NoReturn

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenantry.foundation.security.secret import Secret

KEY_BYTES = 32
LEAST_DISTINCT = 8
"""Different bytes in a master key; of 32 random ones some 30 differ."""
_KEY_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}", re.ASCII)


class BadMasterKeys(ValueError):
    """What is wrong with the configured master keys, by position; never the value."""


class MasterKeys:
    """The ring of master keys, each known by its id."""

    __slots__ = ("_derived", "_keys", "first")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        for position, (key_id, key) in enumerate(keys.items(), start=1):
            _require(_KEY_ID.fullmatch(key_id) is not None, position, f"needs {_ID_RULE}")
            _require(len(key) == KEY_BYTES, position, f"must be {KEY_BYTES} bytes, it is {len(key)}")
            _require(len(set(key)) >= LEAST_DISTINCT, position, "repeats a few bytes; it must be random")
        if not keys:
            raise BadMasterKeys("there is no master key")
        self._keys = dict(keys)
        self._derived: dict[tuple[str, str], bytes] = {}
        self.first = next(iter(self._keys))

    @classmethod
    def parse(cls, text: str | Secret[str]) -> MasterKeys:
        """Read `id:base64,id2:base64`; the first one seals, all of them open."""
        plain = text.reveal() if isinstance(text, Secret) else text
        keys: dict[str, bytes] = {}
        for position, entry in enumerate(plain.split(","), start=1):
            key_id, colon, encoded = entry.strip().partition(":")
            _require(bool(colon) and _KEY_ID.fullmatch(key_id) is not None, position, f"needs {_ID_RULE}")
            _require(key_id not in keys, position, "has the id of an earlier one")
            keys[key_id] = _decode(encoded, position)
        return cls(keys)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every key's id, the sealing one first."""
        return tuple(self._keys)

    def derive(self, purpose: str, key_id: str | None = None) -> bytes:
        """The 32-byte key for one purpose under one master key, the first unless named; unknown: KeyError."""
        place = (purpose, key_id or self.first)
        if place not in self._derived:
            self._derived[place] = _expand(self._keys[place[1]], purpose)
        return self._derived[place]

    def derive_each(self, purpose: str) -> tuple[bytes, ...]:
        """The keys for one purpose under every master key, the first one's first."""
        return tuple(self.derive(purpose, key_id) for key_id in self._keys)

    def __repr__(self) -> str:
        return f"MasterKeys({', '.join(self._keys)})"

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("master keys are not serialized")


def new_master_key(key_id: str) -> Secret[str]:
    """A fresh random key in the form `MasterKeys.parse` reads."""
    return Secret(f"{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}")


_ID_RULE = "the form id:base64 with an id of 1 to 16 lower-case letters, digits, - and _"


def _require(holds: bool, position: int, rule: str) -> None:
    if not holds:
        raise BadMasterKeys(f"master key {position} {rule}")


def _decode(encoded: str, position: int) -> bytes:
    standard = encoded.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        # `from None`: the decoder's own error may carry what it was given.
        raise BadMasterKeys(f"master key {position} is not base64") from None


def _expand(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"tenantry/{purpose}".encode()).derive(key)
