"""Flags in the console; importing the file declares its page."""

from __future__ import annotations

from tenantry.flags.console.flags import pages

__all__ = ["pages"]
