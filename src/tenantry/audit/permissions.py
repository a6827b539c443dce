"""What may be done with the audit log, and which roles hold it."""

from __future__ import annotations

from tenantry.foundation.permission import ADMINS, Permission

AUDIT_READ = Permission("audit:read", "Read the audit log of the organization, and export it.", roles=ADMINS)

ALL = (AUDIT_READ,)
