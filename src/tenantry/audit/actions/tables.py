"""What becomes of a purged person in each table of the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.data.sql import run
from tenantry.foundation.fate import Fate, erased, kept

TABLES: Mapping[str, Fate] = {
    "audit_exports": erased(run("delete from tenantry.audit_exports where person_id = :user_id")),
    "audit_seals": kept("digests, and ids that nothing resolves once the person is gone"),
}
"""Its rows are the foundation's, which writes them; what is personal about them is in the details."""
