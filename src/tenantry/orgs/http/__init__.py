"""Organizations over HTTP, a file a noun; importing a file declares its routes."""

from __future__ import annotations

from tenantry.orgs.http import closure, events, invites, jobs, members, orgs, roles, switching
from tenantry.orgs.http.shapes import routes

__all__ = ["closure", "events", "invites", "jobs", "members", "orgs", "roles", "routes", "switching"]
