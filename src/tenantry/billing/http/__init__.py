"""Billing over HTTP, a file a noun; importing a file declares its routes."""

from __future__ import annotations

from tenantry.billing.http import checkouts, invoices, notices, overview, portal, subscriptions
from tenantry.billing.http.shapes import routes

__all__ = ["checkouts", "invoices", "notices", "overview", "portal", "routes", "subscriptions"]
