"""Accounts over HTTP, a file a noun; importing a file declares its routes."""

from __future__ import annotations

from tenantry.accounts.http import addresses, closure, devices, exports, passwords, profile, registration, sessions
from tenantry.accounts.http.shapes import routes

__all__ = ["addresses", "closure", "devices", "exports", "passwords", "profile", "registration", "routes", "sessions"]
