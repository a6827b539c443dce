"""What may be done with webhooks, and which roles hold it."""

from __future__ import annotations

from tenantry.foundation.permission import ADMINS, Permission

# what an endpoint is told, and what it answered, is for those who may see what happened
WEBHOOKS_READ = Permission("webhooks:read", "See webhook endpoints, what was sent to them and what came back.",
                           roles=ADMINS)  # fmt: skip
WEBHOOKS_WRITE = Permission("webhooks:write", "Make, change and remove webhook endpoints, and send again.",
                            roles=ADMINS)  # fmt: skip

ALL = (WEBHOOKS_READ, WEBHOOKS_WRITE)
