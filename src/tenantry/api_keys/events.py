"""What can have happened to API keys: after-values, of which `history.py` makes rows.

What people call a key and which networks they use it from stands in the details; its secrets stand nowhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.api_keys.models import KeyKind, WhyRevoked
from tenantry.foundation.events.event import Audited, Event


class ApiKeyCreated(Event, frozen=True):
    """An API key was made."""

    kind = "api_keys.key_created"
    audited = Audited("api_keys:key:created", target="key_id", shows=("key_kind", "scopes", "expires_at"))
    webhook = "api_key.created"
    org_id: UUID
    key_id: UUID
    key_kind: KeyKind
    created_by: UUID
    scopes: tuple[str, ...]
    expires_at: datetime | None


class ApiKeyChanged(Event, frozen=True):
    """An API key got another name or end, other scopes or networks; which of them say the `fields`."""

    kind = "api_keys.key_changed"
    audited = Audited("api_keys:key:changed", target="key_id", shows=("fields", "scopes", "expires_at"))
    webhook = "api_key.changed"
    org_id: UUID
    key_id: UUID
    fields: tuple[str, ...]
    scopes: tuple[str, ...]
    expires_at: datetime | None
    version_after: int


class ApiKeyRotated(Event, frozen=True):
    """An API key got a new secret; those before it open nothing from `old_secret_ends_at` on."""

    kind = "api_keys.key_rotated"
    audited = Audited("api_keys:key:rotated", target="key_id", shows=("old_secret_ends_at",))
    webhook = "api_key.rotated"
    org_id: UUID
    key_id: UUID
    old_secret_ends_at: datetime
    version_after: int


class ApiKeyRevoked(Event, frozen=True):
    """An API key opens nothing any more."""

    kind = "api_keys.key_revoked"
    audited = Audited("api_keys:key:revoked", target="key_id", shows=("why",))
    webhook = "api_key.revoked"
    org_id: UUID
    key_id: UUID
    why: WhyRevoked
    version_after: int


class ApiKeyPassed(Event, frozen=True):
    """A service key passed to an owner of the organization, because whoever had made it is purged."""

    kind = "api_keys.key_passed"
    audited = Audited("api_keys:key:passed", target="key_id", shows=("created_by",))
    webhook = "api_key.passed"
    org_id: UUID
    key_id: UUID
    created_by: UUID
    version_after: int


class ApiKeyForgotten(Event, frozen=True):
    """What was left of an API key was removed: its end was long ago, or its person is purged."""

    kind = "api_keys.key_forgotten"
    org_id: UUID
    key_id: UUID
    why: Literal["old", "purged"]
