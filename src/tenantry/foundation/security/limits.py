"""Rate limits as values: what may be asked for how often, whom that counts, and what is said when it was too often.

Where turns are counted is in `turns`; nothing here asks a database.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import Any, Literal, Protocol

import msgspec

from tenantry.foundation.problems import TooMany
from tenantry.foundation.security.keys import MasterKeys
from tenantry.foundation.security.tokens import to_base64url

PURPOSE = "rate limits"
_DIGEST = 16
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


class Counted(Protocol):
    """What says how often somebody may ask, wherever it is counted."""

    @property
    def name(self) -> str: ...
    @property
    def times(self) -> int: ...
    @property
    def per(self) -> timedelta: ...


class Limit(msgspec.Struct, frozen=True):
    """So many turns, all at once or spread; each comes back after its share of `per`.

    It counts by source, by the mail address that is asked about, or by the two together.
    """

    name: str
    times: int
    per: timedelta
    by: Literal["source", "address", "both"] = "source"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.times < 1 or not self.gap:
            raise ValueError("a limit has a lower-case name, one turn or more, and a time for each")

    @property
    def gap(self) -> timedelta:
        """The time in which one turn comes back; rounded down, so that all of them fit into `per`."""
        return self.per // self.times


class RateLimited(TooMany):
    """This was asked for too often; `Retry-After` says when to ask again."""

    code = "rate_limited"

    def __init__(self, detail: str | None = None, *, spent: Mapping[Any, float] | None = None) -> None:
        """`spent`: the limits or policies without a turn left, and in how many seconds each has one."""
        waits: dict[Counted, int] = {limit: max(1, ceil(seconds)) for limit, seconds in (spent or {}).items()}
        more = {"violated-policies": [limit.name for limit in waits]} if waits else {}
        super().__init__(detail, retry_after=max(waits.values(), default=1), more=more)
        if waits:
            self.headers["ratelimit-policy"] = ", ".join(map(_policy, waits))
            self.headers["ratelimit"] = ", ".join(f'"{limit.name}";r=0;t={wait}' for limit, wait in waits.items())


def _policy(limit: Counted) -> str:
    return f'"{limit.name}";q={limit.times};w={ceil(limit.per.total_seconds())}'


class Buckets:
    """Names the row in which a limit counts somebody: a keyed digest, from which nobody can be read."""

    __slots__ = ("_key",)

    def __init__(self, master: MasterKeys) -> None:
        # the first key only: after a rotation everybody has all their turns again, once
        self._key = master.derive(PURPOSE)

    def name(self, limit: Counted, subject: str) -> str:
        """The row of one limit and whom it counts."""
        return self.row(limit.name, subject)

    def row(self, name: str, subject: str) -> str:
        """The same, by the limit's name."""
        told = f"{name}\0{subject}".encode("utf-8", "surrogatepass")
        return to_base64url(hmac.digest(self._key, told, "sha256")[:_DIGEST])


@lru_cache(10_000)
def network(source: str) -> str:
    """Whom a source counts as: an IPv4 address itself, an IPv6 one its /64, anything else itself."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False))


def is_loopback(source: str) -> bool:
    """Whether a source is the machine itself."""
    return network(source).startswith("127.") or network(source) == network("::1")
