"""The audit log in the console: read, and taken away as a file; importing a file declares its page."""

from __future__ import annotations

from tenantry.audit.console import log, taking
from tenantry.audit.console.frame import pages

__all__ = ["log", "pages", "taking"]
