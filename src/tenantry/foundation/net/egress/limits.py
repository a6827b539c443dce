"""How long a receiver is waited for, how much of it is heard, and how many connections are held."""

from __future__ import annotations

import msgspec

RESOLVING = 3.0
"""Seconds for all answers to one name."""
CONNECTING = 5.0
"""Seconds for a connection with its TLS handshake."""
TOTAL = 15.0
"""Seconds for everything, from the name to the last byte that is read."""
IDLE = 20.0
"""Seconds after which a connection that waits is not used again; it is closed at most as long after that."""
AGE = 300.0
"""Seconds after which a connection is not kept, however busy: a receiver that moves is found at its new address."""
AT_ONCE = 1000
"""Connections that are in use at the same time; beyond as many open ones, none is kept for later."""

MOST_READ = 64 * 1024
"""Bytes of a body that are read before the connection is dropped."""
MOST_KEPT = 1024
"""Bytes of a body that are handed on."""
MOST_HEAD = 32 * 1024
"""Bytes of status lines and headers, those of interim answers included."""
MOST_WIRE = MOST_HEAD + 2 * MOST_READ
"""Bytes of one answer on the wire: chunks have frames."""
MOST_HEADERS = 100
"""Header lines of one answer; a line has the 8 KiB that aiohttp allows."""
SLICE = 4 * 1024
"""Bytes that are parsed before what they came to is looked at."""


class EgressLimits(msgspec.Struct, frozen=True):
    """What a test may shorten; the rest stands."""

    resolving: float = RESOLVING
    connecting: float = CONNECTING
    total: float = TOTAL
    idle: float = IDLE
    age: float = AGE
    at_once: int = AT_ONCE
