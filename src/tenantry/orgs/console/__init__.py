"""Organizations in the console, a file a noun; importing a file declares its pages."""

from __future__ import annotations

from tenantry.orgs.console import home, invites, members, settings
from tenantry.orgs.console.frame import pages

__all__ = ["home", "invites", "members", "pages", "settings"]
