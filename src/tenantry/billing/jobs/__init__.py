"""What billing does after the fact, a file a noun."""

from __future__ import annotations

from tenantry.billing.jobs import closing, intents, mails, notices, reconciling, reporting

__all__ = ["closing", "intents", "mails", "notices", "reconciling", "reporting"]
