"""What happens later to organizations, a file a noun."""

from __future__ import annotations

from tenantry.orgs.jobs import closure, invites

__all__ = ["closure", "invites"]
