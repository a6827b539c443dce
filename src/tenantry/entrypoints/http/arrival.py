"""An arrival: what the headers of one request say, read once, tricks refused before anything is believed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from uuid import UUID

import msgspec
from uuid_utils import uuid7

from tenantry.foundation.problems import HeadersTooLarge, Malformed, NotFound, Problem
from tenantry.foundation.security.rates.counted import Policy
from tenantry.foundation.security.visits import Visit

MAX_HEADERS = 32 * 1024
"""Bytes of a request's headers."""
MAX_URL = 8 * 1024
"""Bytes of a request's path and query."""
MOST_SPELLINGS = 1000
LONGEST_ADDRESS = 64
# whoever asks whether a process is well knows its address, seldom its name
PROBES = frozenset(("/livez", "/readyz"))
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.IGNORECASE)
_ONCE = frozenset(
    (
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"if-match",
        b"idempotency-key",
        b"origin",
    )
)
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class BadHost(Malformed):
    """This server does not answer to that host name."""

    code = "bad_host"


class Arrival(msgspec.Struct):
    """One request before it is let in; `cookie` is what the answer will set.

    `of_operators`: what is asked for is theirs, so only their credentials count, and the cookie is theirs.
    """

    request_id: str
    method: str
    source: str
    headers: dict[bytes, bytes]
    problem: Problem | None = None
    route: str = "-"
    actor: str = "-"
    of_operators: bool = False
    visit: Visit | None = None
    bound: UUID | None = None
    key: bytes | None = None
    probe: bool = False
    unproven: bool = False
    counted: list[tuple[Policy, str]] = []
    body: bytes = b""
    cookie: bytes | None = None
    streamed: bool = False
    raised: Exception | None = None
    failure: Exception | None = None

    def header(self, name: bytes) -> str | None:
        """A header's text, or None."""
        found = self.headers.get(name)
        return None if found is None else found.decode("latin-1")


class Reception:
    """Reads arrivals by the operator's rules: which hosts are answered to, which proxies are believed."""

    def __init__(self, *, hosts: Iterable[str], proxies: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._known_hosts: set[bytes] = set()
        self._proxies: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(network) for network in proxies)

    def read(self, scope: dict[str, Any]) -> Arrival:
        """The arrival; what is wrong with it is its `problem`, so that even that answer has a request id."""
        client = scope.get("client")
        peer = client[0] if client else ""
        headers: dict[bytes, bytes] = {}
        problem = _collect(scope["headers"], headers) or _path_fault(scope) or self._host_fault(scope["path"], headers)
        trusted = bool(self._proxies) and self._trusts(_address(peer))
        source = self._source(headers, peer) if trusted else peer
        asked_by, probe = _request_id(headers if trusted else {}), scope["path"] in PROBES
        return Arrival(asked_by, scope["method"], source, headers, problem, probe=probe)

    def _host_fault(self, path: str, headers: dict[bytes, bytes]) -> Problem | None:
        if path in PROBES:
            return None
        given = headers.get(b"host", b"")
        if given in self._known_hosts:
            return None
        host = _HOST.fullmatch(given.decode("latin-1"))
        if host is None or host.group(1).lower() not in self._hosts:
            return BadHost()
        if len(self._known_hosts) < MOST_SPELLINGS:
            self._known_hosts.add(given)
        return None

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._proxies)

    def _source(self, headers: dict[bytes, bytes], peer: str) -> str:
        # read from the right: what our own proxies appended is true, what stands left of it anybody may have written
        for hop in reversed(headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
            if not self._trusts(address := _address(hop.strip())):
                return peer if address is None else str(address)
        return peer


def _collect(pairs: Iterable[tuple[bytes, bytes]], headers: dict[bytes, bytes]) -> Problem | None:
    size = 0
    for name, content in pairs:
        size += len(name) + len(content)
        if name in headers:
            if name in _ONCE:
                return Malformed(f"The header {name.decode('latin-1')} is given twice.")
            headers[name] += b"," + content
        else:
            headers[name] = content
    return HeadersTooLarge() if size > MAX_HEADERS else None


def _path_fault(scope: dict[str, Any]) -> Problem | None:
    path = scope["path"]
    if len(path) + len(scope["query_string"]) > MAX_URL:
        return Malformed("The address is too long.")
    # one spelling a route: what Litestar would tidy up is not served
    if "//" in path or (path.endswith("/") and path != "/") or not path.isprintable():
        return NotFound()
    raw = scope.get("raw_path")
    return NotFound() if raw and b"%" in raw else None


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid7())


def _address(text: str) -> IPv4Address | IPv6Address | None:
    return _read_address(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(MOST_SPELLINGS)
def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
