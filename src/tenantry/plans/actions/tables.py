"""What becomes of the tables of plans when a person is purged."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.fate import Fate, kept

TABLES: Mapping[str, Fate] = {
    "org_plans": kept("an organization's, not a person's"),
    "plan_overrides": kept("an organization's, not a person's"),
}
