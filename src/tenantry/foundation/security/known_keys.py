"""Known keys: what a process remembers of API keys, which the database says is true or not each time one is used."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import Connected, maybe
from tenantry.foundation.problems import Forbidden, Unauthenticated

MOST_KNOWN = 10_000
"""API keys that a process remembers; of others it asks when they are used."""
NOTHING_KNOWN = UUID(int=0)


class KeyRefused(Unauthenticated):
    """This API key opens nothing: it never was one, or it expired, was revoked or took another's place for good."""

    code = "invalid_api_key"


class AddressRefused(Forbidden):
    """This API key may not be used from this address."""

    code = "address_refused"


class KeyRow(msgspec.Struct, frozen=True):
    """A key as its organization keeps it."""

    id: UUID
    created_by: UUID
    scopes: list[str]
    addresses: list[str]
    stamp: UUID


key_of_digest = maybe(
    KeyRow,
    """
    select api_keys.id, created_by, scopes, addresses, tenantry.stamp_of(api_keys) as stamp
      from tenantry.api_key_secrets as secrets
      join tenantry.api_keys on api_keys.org_id = secrets.org_id and api_keys.id = secrets.key_id
     where secrets.digest = :digest
    """,
    not_null=("stamp",),
)


class KeyFacts(msgspec.Struct, frozen=True):
    """What is true of an API key until its stamp changes."""

    id: UUID
    created_by: UUID
    scopes: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]
    stamp: UUID

    def may_come_from(self, source: str) -> bool:
        """Whether it may be used from there."""
        if not self.networks:
            return True
        try:
            address = ip_address(source)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self.networks)


class KnownKeys:
    """The facts of the keys that were used lately, by the digest of what was shown."""

    def __init__(self) -> None:
        self._facts: OrderedDict[bytes, KeyFacts] = OrderedDict()

    def get(self, digest: bytes) -> KeyFacts | None:
        """What is known of a key."""
        facts = self._facts.get(digest)
        if facts is not None:
            self._facts.move_to_end(digest)
        return facts

    async def learn(self, work: Connected, digest: bytes) -> KeyFacts:
        """Ask for the facts of a key that has just opened its organization, and remember them."""
        row = await key_of_digest(work, digest=digest)
        if row is None:
            # it was removed since
            raise KeyRefused
        networks = tuple(map(ip_network, row.addresses))
        facts = KeyFacts(row.id, row.created_by, frozenset(row.scopes), networks, row.stamp)
        self._facts[digest] = facts
        self._facts.move_to_end(digest)
        if len(self._facts) > MOST_KNOWN:
            self._facts.popitem(last=False)
        return facts
