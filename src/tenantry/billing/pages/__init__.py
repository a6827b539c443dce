"""Billing as pages, a file a noun; importing a file declares its pages."""

from __future__ import annotations

from tenantry.billing.pages import cancellation, changes, overview
from tenantry.billing.pages.forms import pages

__all__ = ["cancellation", "changes", "overview", "pages"]
