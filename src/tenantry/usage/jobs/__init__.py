"""What happens to usage on a schedule, a file a noun."""

from __future__ import annotations

from tenantry.usage.jobs import rollups

__all__ = ["rollups"]
