"""Webhooks in the console, a file a page; importing a file declares it."""

from __future__ import annotations

from tenantry.webhooks.console import deliveries, endpoints, making, one
from tenantry.webhooks.console.frame import pages

__all__ = ["deliveries", "endpoints", "making", "one", "pages"]
