"""Verbs of the audit log in several transactions, a file a noun."""

from __future__ import annotations

from tenantry.audit.exchanges.files import EXPORT, ROWS_A_PAGE, File, take_file, written
from tenantry.audit.exchanges.reading import read_log
from tenantry.audit.exchanges.verifying import Verdict, verify_audit

__all__ = ["EXPORT", "ROWS_A_PAGE", "File", "Verdict", "read_log", "take_file", "verify_audit", "written"]
