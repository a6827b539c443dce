"""What becomes of the tables of flags when a person is purged."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.fate import Fate, kept

TABLES: Mapping[str, Fate] = {
    "flags": kept("the house's; of persons its rules hold ids, which nothing resolves once the person is gone"),
    "flag_overrides": kept("an organization's, not a person's"),
    "flag_evaluations": kept("counts of all that was asked"),
    "flags_version": kept("nobody's"),
}
