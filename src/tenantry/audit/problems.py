"""What can be refused about the audit log."""

from __future__ import annotations

from tenantry.foundation.problems import Invalid, Problem, TooMany


class AuditExportTooLarge(Invalid):
    """This is more than goes into one file; narrow it by `from` and `to`, and export it in parts."""

    code = "audit_export_too_large"


class TooManyAuditExports(TooMany):
    """As many exports as may wait to be taken; take one, or wait until they expire."""

    code = "too_many_audit_exports"


class ExportGone(Problem):
    """This link has been used, has expired, or is not one of yours; ask for a new one."""

    status, code = 410, "export_gone"
    denial = True
