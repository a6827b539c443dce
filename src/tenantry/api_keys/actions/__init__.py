"""Verbs of API keys, a file a noun."""

from __future__ import annotations

from tenantry.api_keys.actions.ending import (
    forget_ended_keys,
    revoke_any_key,
    revoke_keys_of,
    revoke_leaked_key,
)
from tenantry.api_keys.actions.keys import NewSecret, change_key, create_key, revoke_key
from tenantry.api_keys.actions.parting import part_with, what_is_held
from tenantry.api_keys.actions.rotation import rotate_key
from tenantry.api_keys.actions.tables import TABLES

__all__ = [
    "TABLES",
    "NewSecret",
    "change_key",
    "create_key",
    "forget_ended_keys",
    "part_with",
    "revoke_any_key",
    "revoke_key",
    "revoke_keys_of",
    "revoke_leaked_key",
    "rotate_key",
    "what_is_held",
]
