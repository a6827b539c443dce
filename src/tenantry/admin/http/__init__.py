"""Operators over HTTP, a file a noun; importing a file declares its routes."""

from __future__ import annotations

from tenantry.admin.http import insights, orgs, people, sessions
from tenantry.admin.http.shapes import routes

__all__ = ["insights", "orgs", "people", "routes", "sessions"]
