"""The one reader of customers' URLs: what it returns is what is asked, and nothing reads the text again.

Strict where parsers differ. One spelling of an address, no user names, no fragments, no escapes in the host, no last
dot, no bare or private names. Names beyond ASCII are encoded by IDNA 2008, once, and judged by what comes out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna
import msgspec

from tenantry.foundation.net.egress.addresses import Address
from tenantry.foundation.net.egress.outcomes import AddressRefused

LONGEST = 2048
LONGEST_NAME = 253
HTTPS_PORT, FIRST_FREE_PORT = 443, 1024
PORTS = {"https": HTTPS_PORT, "http": 80}

UNSEEN = re.compile(r"[\x00-\x20\x7f\\]")
HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([1-9][0-9]{0,4}))?", re.ASCII)
# what RFC 3986 has for path and query, and the brackets that many put into a query
_PLAIN = r"A-Za-z0-9._~!$&'()*+,;=:@/\-"
ASKED = re.compile(rf"(?:/(?:[{_PLAIN}]|%[0-9A-Fa-f]{{2}})*)?(?:\?(?:[{_PLAIN}?\[\]]|%[0-9A-Fa-f]{{2}})*)?")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# names that a house answers by itself; `.test` and `.example` are whoever's the resolver is, who sets one for tests
PRIVATE_ENDS = {
    "alt", "arpa", "corp", "domain", "home", "host", "internal", "intranet", "invalid", "lan", "local",
    "localdomain", "localhost", "mail", "onion", "private", "workgroup",
}  # fmt: skip

NEEDS_HTTPS = "must begin with https://"
NEEDS_PORT = "must name port 443 or one from 1024 on"
NOT_A_HOST = "must name a host on the public internet"
NOT_AN_ADDRESS = "must spell an IP address in its usual form"


class Target(msgspec.Struct, frozen=True):
    """Who is asked for what; `only_allowed` says why only what the operator allows may be asked like this."""

    tls: bool
    host: str
    port: int
    asked: str
    address: Address | None
    only_allowed: str | None


@lru_cache(1024)
def read_url(text: str) -> Target:
    """The target that a URL names, or `AddressRefused` with the reason."""
    scheme, rest = _scheme(text)
    cut = next((at for at, char in enumerate(rest) if char in "/?"), len(rest))
    host, port = _authority(rest[:cut], PORTS[scheme])
    address = _address(host)
    return Target(
        tls=scheme == "https",
        host=str(address) if address else _name(host),
        port=port,
        asked=_asked(rest[cut:]),
        address=address,
        only_allowed=_excuse(scheme, port),
    )


def _scheme(text: str) -> tuple[str, str]:
    if len(text) > LONGEST:
        raise AddressRefused(f"may have {LONGEST} characters")
    if UNSEEN.search(text):
        raise AddressRefused("may not hold spaces, control characters or backslashes")
    if "#" in text:
        raise AddressRefused("may not hold a fragment")
    scheme, found, rest = text.partition("://")
    if not found or scheme.lower() not in PORTS:
        raise AddressRefused(NEEDS_HTTPS)
    return scheme.lower(), rest


def _authority(text: str, usual: int) -> tuple[str, int]:
    if "@" in text:
        raise AddressRefused("may not hold a user name or a password")
    if "%" in text:
        raise AddressRefused("may not hold an escape in its host")
    found = HOST_AND_PORT.fullmatch(text)
    if not found or not found[1]:
        raise AddressRefused("must name a host, and a port as a number or not at all")
    port = int(found[2] or usual)
    if port > 65535:
        raise AddressRefused(NEEDS_PORT)
    return found[1].lower(), port


def _address(host: str) -> Address | None:
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        # one number at the end, and some parser takes the whole for an address: 127.1, 0x7f.1, 2130706433
        return IPv4Address(host) if NUMBER.fullmatch(host.rpartition(".")[2]) else None
    except AddressValueError:
        # raised anew: what `ipaddress` says repeats the text
        raise AddressRefused(NOT_AN_ADDRESS) from None


def _name(host: str) -> str:
    name = _encoded(host)
    labels = name.split(".")
    sound = len(name) <= LONGEST_NAME and all(map(LABEL.fullmatch, labels)) and not NUMBER.fullmatch(labels[-1])
    if not sound or len(labels) < 2 or labels[-1] in PRIVATE_ENDS:
        raise AddressRefused(NOT_A_HOST)
    return name


def _encoded(host: str) -> str:
    if host.isascii() and "xn--" not in host:
        return host
    try:
        return idna.encode(host).decode("ascii")
    except idna.IDNAError:
        raise AddressRefused("must name a host that IDNA 2008 has a form for") from None


def _asked(text: str) -> str:
    if not ASKED.fullmatch(text):
        raise AddressRefused("must escape what is no character of a URL")
    return text if text.startswith("/") else f"/{text}"


def _excuse(scheme: str, port: int) -> str | None:
    if scheme != "https":
        return NEEDS_HTTPS
    return None if port == HTTPS_PORT or port >= FIRST_FREE_PORT else NEEDS_PORT
