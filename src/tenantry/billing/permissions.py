"""What may be done about what an organization pays, and which roles hold it."""

from __future__ import annotations

from tenantry.foundation.permission import ADMINS, Permission

BILLING_READ = Permission("billing:read", "See the organization's subscription and invoices.", roles=ADMINS)
BILLING_WRITE = Permission("billing:write", "Subscribe, change and cancel for the organization.", roles=ADMINS)

ALL = (BILLING_READ, BILLING_WRITE)
