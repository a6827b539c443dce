"""Verbs of the audit log, a file a noun."""

from __future__ import annotations

from tenantry.audit.actions.exports import ask_audit_export, remove_old_audit_exports, take_audit_export
from tenantry.audit.actions.retention import let_audit_go
from tenantry.audit.actions.sealing import seal_audit
from tenantry.audit.actions.tables import TABLES

__all__ = [
    "TABLES",
    "ask_audit_export",
    "let_audit_go",
    "remove_old_audit_exports",
    "seal_audit",
    "take_audit_export",
]
