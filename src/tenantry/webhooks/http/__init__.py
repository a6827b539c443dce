"""Webhooks over HTTP, a file a noun; importing a file declares its routes."""

from __future__ import annotations

from tenantry.webhooks.http import catalogue, deliveries, endpoints
from tenantry.webhooks.http.shapes import routes

__all__ = ["catalogue", "deliveries", "endpoints", "routes"]
