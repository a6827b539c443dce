"""Usage: what organizations use, metered in the commit that uses it, and how much of it their plan allows."""

from __future__ import annotations

from tenantry.usage.actions import use

__all__ = ["use"]
