"""Usage over HTTP, a file a noun; importing a file declares its routes."""

from __future__ import annotations

from tenantry.usage.http import quotas, usage
from tenantry.usage.http.shapes import routes

__all__ = ["quotas", "routes", "usage"]
