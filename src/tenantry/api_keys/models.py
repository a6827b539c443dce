"""API keys' rows, and what is true of each alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

PERSONAL_LIFE = timedelta(days=90)
"""A personal API key of which nobody says when it ends."""
LONGEST_LIFE = timedelta(days=365)
"""An API key that ends, at most; a service key may have no end."""
OVERLAP = timedelta(hours=24)
"""The secrets before a rotation of an API key open what they opened for this time, unless it says otherwise."""
LONGEST_OVERLAP = timedelta(days=7)
"""The same, at most; none at all is possible."""
MOST_KEYS = 100
"""API keys of one organization that are neither revoked nor expired."""
MOST_SECRETS = 5
"""Secrets of one API key that open something at the same time."""
MOST_SCOPES = 100
"""Scopes of one API key."""
MOST_ADDRESSES = 20
"""Networks of one API key that it may be used from."""
KEYS_KEPT = timedelta(days=90)
"""An API key that was revoked or expired is shown for this time; then its row is removed."""

KeyKind = Literal["personal", "service"]
"""A personal key ends with its person, a service key stays with its organization."""
KeyStatus = Literal["live", "expired", "revoked"]
WhyRevoked = Literal["revoked", "left", "operator", "leaked"]
"""By somebody in the organization, because its person is no member any more, by an operator, or because it leaked."""


class Key(msgspec.Struct, frozen=True):
    """An API key, as its organization sees it; never the secret."""

    id: UUID
    kind: KeyKind
    name: str
    scopes: list[str]
    addresses: list[str]
    status: KeyStatus
    hint: str
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    old_secret_ends_at: datetime | None
    version: int


class Maker(msgspec.Struct, frozen=True):
    """Who made an API key."""

    id: UUID
    name: str


class AnyKey(Key, frozen=True):
    """An API key with the organization that it is of, as an operator sees it."""

    org_id: UUID


class Held(msgspec.Struct, frozen=True):
    """An API key as whoever changes it holds it until the commit; `ended` if it is revoked or expired."""

    id: UUID
    kind: KeyKind
    name: str
    scopes: list[str]
    addresses: list[str]
    created_by: UUID
    expires_at: datetime | None
    version: int
    revoked: bool
    ended: bool
    asked_at: datetime


class HeldByPerson(msgspec.Struct, frozen=True):
    """An API key of a person, as they take it away."""

    org: str
    kind: KeyKind
    name: str
    scopes: list[str]
    addresses: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class Ended(msgspec.Struct, frozen=True):
    """An API key that was ended or removed, and its version since."""

    org_id: UUID
    id: UUID
    version: int


def said_of(name: str, addresses: Sequence[str]) -> dict[str, str | None]:
    """What people call a key and where they use it from, as the history keeps it for as long as it may."""
    return {"name": name, "addresses": " ".join(addresses)}
