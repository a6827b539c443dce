"""What follows for operators from what happened, a file a noun."""

from __future__ import annotations

from tenantry.admin.jobs import insights

__all__ = ["insights"]
