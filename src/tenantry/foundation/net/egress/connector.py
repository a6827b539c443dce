"""Connections to vetted addresses: looked at when a name is resolved, and again when a socket is made."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tenantry.foundation.net.egress.addresses import Address, Asks
from tenantry.foundation.net.egress.allowed import Policy
from tenantry.foundation.net.egress.limits import EgressLimits
from tenantry.foundation.net.egress.receiver import Receiver, Room

MOST_TRIED = 6
"""Addresses of one name that a connection is tried to."""

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str | bytes | int, ...]]


class Forbidden(OSError):
    """An address that nobody may be sent to."""


class VettingConnector(aiohttp.TCPConnector):
    """Connects to what the policy lets, and hears each receiver within its limits."""

    def __init__(
        self, policy: Policy, names: Asks, limits: EgressLimits, trust: ssl.SSLContext, *, only_allowed: bool
    ) -> None:
        self._lets = partial(policy.lets, only_allowed=only_allowed)
        super().__init__(
            resolver=VettedNames(names, self),
            ssl=trust,
            limit=limits.at_once,
            limit_per_host=0,
            keepalive_timeout=limits.idle,
            socket_factory=self._socket,
        )
        # aiohttp has no other door for a protocol of one's own
        self._factory = partial(Receiver, loop=self._loop, room=Room(limits.at_once), age=limits.age)  # type: ignore[assignment]

    def require(self, address: Address, port: int) -> None:
        """Refuse an address that may not be reached by this way."""
        if not self._lets(address, port):
            raise Forbidden("this address may not be reached")

    def _socket(self, info: AddrInfo) -> socket.socket:
        # the last step before connecting: whoever chose the address, and however, it is looked at here
        family, kind, protocol, _, (host, port, *_) = info
        self.require(ip_address(str(host)), int(port))
        return socket.socket(family, kind, protocol)


class VettedNames(AbstractResolver):
    """Addresses of a name, every one of them vetted: one that may not be reached refuses all."""

    def __init__(self, names: Asks, connector: VettingConnector) -> None:
        self._names, self._connector = names, connector

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """What aiohttp may try, in turn."""
        addresses = await self._names.addresses_of(host)
        for address in addresses:
            self._connector.require(address, port)
        return [_result(host, str(address), port) for address in addresses[:MOST_TRIED]]

    async def close(self) -> None:
        """Nothing is held."""


def _result(name: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=name, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=flags)
