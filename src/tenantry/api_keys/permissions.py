"""What may be done with API keys, and which roles hold it. No key holds any of it: no key makes or widens keys."""

from __future__ import annotations

from tenantry.foundation.permission import ADMINS, MEMBERS, Permission

API_KEYS_OWN = Permission(
    "api_keys:own", "Make, see, change and revoke one's own personal API keys.", roles=MEMBERS, by_key=False
)
API_KEYS_READ = Permission("api_keys:read", "See every API key of the organization.", roles=ADMINS, by_key=False)
API_KEYS_WRITE = Permission(
    "api_keys:write", "Make and change service keys, and revoke any API key.", roles=ADMINS, by_key=False
)

ALL = (API_KEYS_OWN, API_KEYS_READ, API_KEYS_WRITE)
