"""What may be done with flags in an organization, and which roles hold it; only operators change one."""

from __future__ import annotations

from tenantry.foundation.permission import MEMBERS, Permission

FLAGS_READ = Permission("flags:read", "See what flags give the organization.", roles=MEMBERS)

ALL = (FLAGS_READ,)
