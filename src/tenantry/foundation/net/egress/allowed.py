"""What may be connected to: public addresses, and the exact pairs of address and port that the operator allows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from tenantry.foundation.net.egress.addresses import Address, reason_against
from tenantry.foundation.net.egress.outcomes import AddressRefused
from tenantry.foundation.net.egress.urls import Target

Pair = tuple[Address, int]

PAIR = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[1-9][0-9]{0,4})", re.ASCII)
NOT_PUBLIC = "must lead to public addresses only"


class Policy:
    """What this installation lets its customers' URLs reach."""

    def __init__(self, allow: Iterable[str]) -> None:
        self._allowed = frozenset(map(read_pair, allow))

    def lets(self, address: Address, port: int, *, only_allowed: bool) -> bool:
        """Whether a socket may be connected to an address; what is asked without TLS may reach allowed pairs only."""
        return (address, port) in self._allowed or not (only_allowed or reason_against(address))

    def vet_target(self, target: Target) -> None:
        """Refuse what can be refused before anybody is asked for addresses."""
        if target.only_allowed and not self._allowed:
            raise AddressRefused(target.only_allowed)
        if target.address:
            self.vet(target, (target.address,))

    def vet(self, target: Target, addresses: Iterable[Address]) -> None:
        """Refuse a URL if one of its host's addresses may not be reached: whoever mixes them means the bad one."""
        for address in addresses:
            if not self.lets(address, target.port, only_allowed=bool(target.only_allowed)):
                raise AddressRefused(NOT_PUBLIC if reason_against(address) else target.only_allowed or NOT_PUBLIC)


def read_pair(text: str) -> Pair:
    """The address and port that `ip:port` or `[ip]:port` spells; `ValueError` does not repeat the text."""
    found = PAIR.fullmatch(text)
    if not found or int(found["port"]) > 65535:
        raise ValueError("must be an IP address and a port: 127.0.0.1:8080 or [::1]:8080")
    try:
        return ip_address(found["six"] or found["four"]), int(found["port"])
    except ValueError:
        # what `ipaddress` says repeats the text
        raise ValueError("holds something that is no IP address") from None


def faults_of(allow: Iterable[str], resolver: str | None) -> list[str]:
    """What is wrong with the two settings, each after its variable's name; none of the values is repeated."""
    named = [("TENANTRY_EGRESS_ALLOW", text) for text in allow]
    named += [("TENANTRY_DNS_RESOLVER", resolver)] if resolver is not None else []
    return list(dict.fromkeys(f"{name} {fault}" for name, text in named if (fault := _fault(text))))


def _fault(text: str) -> str | None:
    try:
        read_pair(text)
    except ValueError as error:
        return str(error)
    return None
