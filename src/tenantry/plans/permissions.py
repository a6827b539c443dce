"""What may be done with the plan of an organization, and which roles hold it."""

from __future__ import annotations

from tenantry.foundation.permission import MEMBERS, Permission

ENTITLEMENTS_READ = Permission("entitlements:read", "See the plan and what it entitles to.", roles=MEMBERS)

ALL = (ENTITLEMENTS_READ,)
