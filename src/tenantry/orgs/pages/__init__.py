"""Organizations as pages, a file a noun; importing a file declares its pages."""

from __future__ import annotations

from tenantry.orgs.pages import invites
from tenantry.orgs.pages.invites import pages

__all__ = ["invites", "pages"]
