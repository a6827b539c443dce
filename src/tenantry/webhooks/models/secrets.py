"""Secrets of endpoints: 32 bytes of chance, spelled as the standard for webhooks has them."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta

from tenantry.foundation.security.secret import Secret

SECRET_BYTES = 32
OVERLAP = timedelta(hours=24)
"""What is sent is signed with the secret before a rotation as well for this time, unless it says otherwise."""
LONGEST_OVERLAP = timedelta(days=7)
"""The same, at most; none at all is possible."""
MOST_SECRETS = 3
"""Secrets of one webhook endpoint that sign at the same time."""


def fresh_secret() -> bytes:
    """A secret that nobody has yet."""
    return secrets.token_bytes(SECRET_BYTES)


def spelled(secret: bytes) -> Secret[str]:
    """A secret as its owner is given it."""
    return Secret("whsec_" + base64.b64encode(secret).decode())
