"""What people say about API keys: names, scopes, networks and ends, each with its limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from tenantry.api_keys.models import (
    LONGEST_LIFE,
    LONGEST_OVERLAP,
    MOST_ADDRESSES,
    MOST_SCOPES,
    PERSONAL_LIFE,
    KeyKind,
)
from tenantry.foundation.permission import Permission
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.text import NO_CONTROLS

KeyName = Annotated[
    str,
    Meta(min_length=1, max_length=80, pattern=NO_CONTROLS, description="What the key is for; no control characters."),
]
Scope = Annotated[str, Meta(min_length=1, max_length=100, description="The name of a permission.")]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=MOST_SCOPES)]
# what else `ip_network` reads, such as zones, no address of a request has
Network = Annotated[
    str,
    Meta(max_length=43, pattern=r"^[0-9A-Fa-f.:/]+$(?!\n)", description="An address, or a network: `192.0.2.0/24`."),
]
Networks = Annotated[
    list[Network], Meta(max_length=MOST_ADDRESSES, description="Where it may be used from; none: from everywhere.")
]
Overlap = Annotated[
    int,
    Meta(
        ge=0,
        le=int(LONGEST_OVERLAP.total_seconds()),
        description="Seconds for which the secret before opens what it opened.",
    ),
]


def read_scopes(scopes: Sequence[str], permissions: Sequence[Permission]) -> list[str]:
    """The scopes, each once; Invalid where one is no right in an organization, or one that no key can hold."""
    in_org = {one.name: one for one in permissions if one.roles}
    faults = tuple(_scope_faults(scopes, {name: one.by_key for name, one in in_org.items()}))
    if faults:
        raise Invalid(errors=faults)
    return list(dict.fromkeys(scopes))


def _scope_faults(scopes: Sequence[str], by_key: dict[str, bool]) -> Iterator[FieldError]:
    for place, scope in enumerate(scopes):
        if scope not in by_key:
            yield FieldError(f"body.scopes[{place}]", "is no permission in an organization")
        elif not by_key[scope]:
            yield FieldError(f"body.scopes[{place}]", "is a permission that no API key can hold")


def read_networks(networks: Sequence[str]) -> list[str]:
    """The networks in their one spelling, each once."""
    read = [_network(text, place) for place, text in enumerate(networks)]
    return list(dict.fromkeys(read))


def _network(text: str, place: int) -> str:
    fault = FieldError(f"body.addresses[{place}]", "is no network such as 192.0.2.0/24 or 2001:db8::/32")
    try:
        found = ip_network(text)
    except ValueError as error:
        raise Invalid(errors=(fault,)) from error
    # a request from there is one from an IPv4 address
    if getattr(found.network_address, "ipv4_mapped", None) is not None:
        raise Invalid(errors=(fault,))
    return str(found)


def read_end(kind: KeyKind, given: datetime | UnsetType | None, now: datetime) -> datetime | None:
    """When a key ends: as it is said, or by its kind where nothing is said."""
    if given is UNSET:
        return now + PERSONAL_LIFE if kind == "personal" else None
    if given is None and kind == "personal":
        raise _bad_end("is null, and a personal key has an end")
    if given is not None and given <= now:
        raise _bad_end("is over")
    if given is not None and given > now + LONGEST_LIFE:
        raise _bad_end(f"is more than {LONGEST_LIFE.days} days away")
    return given


def _bad_end(message: str) -> Invalid:
    return Invalid(errors=(FieldError("body.expires_at", message),))
