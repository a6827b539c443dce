"""The console's pages of operators, a file a noun; importing a file declares its pages."""

from __future__ import annotations

from tenantry.admin.console import entering, home, orgs, people, search
from tenantry.admin.console.frame import pages

__all__ = ["entering", "home", "orgs", "pages", "people", "search"]
