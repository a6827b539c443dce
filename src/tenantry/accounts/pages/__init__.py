"""Accounts as pages, a file a noun; importing a file declares its pages."""

from __future__ import annotations

from tenantry.accounts.pages import addresses, closure, devices, exports, passwords, profile, registration, sessions
from tenantry.accounts.pages.forms import pages

__all__ = [
    "addresses",
    "closure",
    "devices",
    "exports",
    "pages",
    "passwords",
    "profile",
    "registration",
    "sessions",
]
