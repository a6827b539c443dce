"""What may be done with the usage of an organization, and which roles hold it."""

from __future__ import annotations

from tenantry.foundation.permission import ADMINS, MEMBERS, Permission

USAGE_READ = Permission("usage:read", "See what was used, and how much of it the plan allows.", roles=MEMBERS)
USAGE_WRITE = Permission("usage:write", "Report what was used.", roles=ADMINS)
QUOTAS_READ = Permission("quotas:read", "See how much of each quota is used and left.", roles=MEMBERS)

ALL = (USAGE_READ, USAGE_WRITE, QUOTAS_READ)
