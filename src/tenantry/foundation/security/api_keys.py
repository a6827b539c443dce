"""API keys as text: made once, told from garbage by anybody, and known to the house by their digest only.

`tnt_service_live_` says what it is, then come 43 signs of chance, the format's version and a checksum: whoever finds
one in a log or a repository can tell without asking us, and so can we before we ask the database.
"""

from __future__ import annotations

import re
import secrets
from binascii import crc32
from hashlib import sha256
from typing import Literal

from tenantry.foundation.security.secret import Secret

Kind = Literal["personal", "service"]
Environment = Literal["live", "test"]
START = "tnt_"
"""How every API key begins, and no access token does."""
HINT = 4
"""Signs of a key that are kept to tell it from others."""
_VERSION = "1"
_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# 43 signs of 62 hold 256 bits, and a checksum of 32 bits takes six
_CHANCE, _CHECK = 43, 6
_SHAPE = re.compile(
    rf"tnt_(?:personal|service)_(?:live|test)_[0-9A-Za-z]{{{_CHANCE}}}{_VERSION}[0-9A-Za-z]{{{_CHECK}}}"
)


def new_key(kind: Kind, environment: Environment) -> Secret[str]:
    """A fresh key."""
    body = f"{START}{kind}_{environment}_{_base62(secrets.randbits(256), _CHANCE)}{_VERSION}"
    return Secret(body + _checksum(body))


def read_key(text: str) -> bytes | None:
    """The digest by which the house knows a key; None for what cannot be one, without asking anybody."""
    if not _SHAPE.fullmatch(text) or _checksum(text[:-_CHECK]) != text[-_CHECK:]:
        return None
    return sha256(text.encode()).digest()


def hint_of(key: Secret[str]) -> str:
    """The last signs of a key's chance, by which its owner knows it again."""
    end = -_CHECK - len(_VERSION)
    return key.reveal()[end - HINT : end]


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECK)


def _base62(number: int, length: int) -> str:
    signs = []
    for _ in range(length):
        number, place = divmod(number, 62)
        signs.append(_SIGNS[place])
    return "".join(reversed(signs))
