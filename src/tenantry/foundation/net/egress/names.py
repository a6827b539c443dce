"""Names into addresses, by DNS alone: no thread that a slow server could hold, no `hosts` file, no search list."""

from __future__ import annotations

import asyncio
import itertools
from ipaddress import ip_address

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from tenantry.foundation.net.egress.addresses import Address
from tenantry.foundation.net.egress.allowed import read_pair

TRIES = 3
"""Questions that may be lost on the way, within the time that there is."""
MOST_ADDRESSES = 64
"""Addresses of one name; who has more of them is not asked."""


class Unresolved(OSError):
    """No addresses, or none in time."""


class Names:
    """Asks the resolver that is configured, or else those of the machine."""

    def __init__(self, resolver: str | None, *, seconds: float) -> None:
        self._configured = resolver
        self._seconds = seconds
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def addresses_of(self, name: str) -> tuple[Address, ...]:
        """Every address that a name has now, of both kinds in turn; `Unresolved` where it has none."""
        resolver = self._opened()
        kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
        found = await asyncio.gather(*(self._answers(resolver, name, kind) for kind in kinds))
        addresses = tuple(address for pair in itertools.zip_longest(*found) for address in pair if address)
        if not 0 < len(addresses) <= MOST_ADDRESSES:
            raise Unresolved("no addresses that can be used")
        return addresses

    async def _answers(
        self, resolver: dns.asyncresolver.Resolver, name: str, kind: dns.rdatatype.RdataType
    ) -> list[Address]:
        backend = dns.asyncbackend.get_backend("asyncio")
        try:
            answer = await resolver.resolve(name, kind, raise_on_no_answer=False, search=False, backend=backend)
        except (dns.exception.DNSException, OSError):
            # one kind may fail where the other has all that is needed: many servers know nothing of AAAA
            return []
        return [ip_address(record.address) for record in answer.rrset or ()]

    def _opened(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            self._resolver = self._made()
            self._resolver.lifetime, self._resolver.timeout = self._seconds, self._seconds / TRIES
        return self._resolver

    def _made(self) -> dns.asyncresolver.Resolver:
        if self._configured:
            address, port = read_pair(self._configured)
            made = dns.asyncresolver.Resolver(configure=False)
            made.nameservers = [dns.nameserver.Do53Nameserver(str(address), port)]
            return made
        try:
            return dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration as error:
            # kept by nobody: the next question looks again
            raise Unresolved("this machine names no resolver") from error
