"""Billing in the console, a file a noun; importing a file declares its pages."""

from __future__ import annotations

from tenantry.billing.console import cancellation, changes, overview
from tenantry.billing.console.frame import pages

__all__ = ["cancellation", "changes", "overview", "pages"]
