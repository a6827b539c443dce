"""Which addresses may be connected to: those of the public internet, and of these none that stands for another.

Deny by default where that can be said: of IPv6 only global unicast is looked at, less what is special in it. For
IPv4, where nearly all is given out, the special blocks are listed; Python's `is_global` is asked on top, because a
registry that grows reaches it first. It is not enough alone: it lets embedded and translated forms through, and
public addresses on which a cloud answers its own machines.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Protocol

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Asks(Protocol):
    """What has addresses for a name; `OSError` where there are none."""

    async def addresses_of(self, name: str) -> tuple[Address, ...]: ...


SPECIAL: dict[str, str] = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by carriers, and a cloud's metadata",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "a cloud's metadata",
    "169.254.0.0/16": "link-local, and clouds' metadata",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments, and a cloud's metadata",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "sinks of AS112",
    "192.52.193.0/24": "multicast tunnels",
    "192.88.99.0/24": "relays of 6to4",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "sinks of AS112",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, and broadcast",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::/96": "IPv4 in IPv6, compatible",
    "::ffff:0:0/96": "IPv4 in IPv6, mapped",
    "::ffff:0:0:0/96": "IPv4 in IPv6, translated",
    "64:ff9b::/96": "IPv4 behind a translator",
    "64:ff9b:1::/48": "IPv4 behind a local translator",
    "100::/64": "discarded",
    "100:0:0:1::/64": "a dummy prefix",
    "2001::/23": "protocol assignments: Teredo, benchmarks, ORCHID, tunnels",
    "2001:db8::/32": "documentation",
    "2002::/16": "IPv4 in IPv6, 6to4",
    "2620:4f:8000::/48": "sinks of AS112",
    "3ffe::/16": "the former test network",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local, and a cloud's metadata",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
GLOBAL_UNICAST = IPv6Network("2000::/3")
# the lower half of an ISATAP address says this, and then an IPv4 address; the universal bit may be set
ISATAP, UNIVERSAL = 0x0000_5EFE, 0x0200_0000

NETWORKS: tuple[tuple[Network, str], ...] = tuple((ip_network(block), reason) for block, reason in SPECIAL.items())


@lru_cache(4096)
def reason_against(address: Address) -> str | None:
    """Why nobody may be sent to an address; none if it is public. For tests and logs: a customer is not told."""
    listed = next((reason for network, reason in NETWORKS if address in network), None)
    return listed or _reason_by_form(address) or (None if address.is_global else "not global")


def _reason_by_form(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return None
    if address not in GLOBAL_UNICAST:
        return "not global unicast"
    return "IPv4 in IPv6, ISATAP" if int(address) >> 32 & 0xFFFF_FFFF & ~UNIVERSAL == ISATAP else None
