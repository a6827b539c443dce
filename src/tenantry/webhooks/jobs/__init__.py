"""What happens later with webhooks, a file a noun."""

from __future__ import annotations

from tenantry.webhooks.jobs import fan_out, mails, replaying, upkeep

__all__ = ["fan_out", "mails", "replaying", "upkeep"]
