"""What happens later to accounts, a file a noun: mails that follow events, and what is removed by the hour."""

from __future__ import annotations

from tenantry.accounts.jobs import closure, devices, disabling, exports, letters, recovery, registration

__all__ = ["closure", "devices", "disabling", "exports", "letters", "recovery", "registration"]
