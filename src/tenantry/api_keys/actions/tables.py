"""What becomes of the tables of API keys when a person is purged."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.data.sql import run
from tenantry.foundation.fate import Fate, erased, kept

TABLES: Mapping[str, Fate] = {
    "api_keys": erased(
        run("delete from tenantry.api_keys where created_by = :user_id and kind = 'personal'"),
        why="a personal key ends with its person; the organization's own were passed to an owner before",
    ),
    "api_key_secrets": kept("digests of chance, which go with their keys"),
}
