"""API keys in the console, a file a page; importing a file declares it."""

from __future__ import annotations

from tenantry.api_keys.console import keys, making, one
from tenantry.api_keys.console.frame import pages

__all__ = ["keys", "making", "one", "pages"]
