"""What can have happened to the usage of an organization: after-values."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tenantry.foundation.events.event import Audited, Event


class QuotaCrossed(Event, frozen=True):
    """So many percent of a limit were reached, for the first time in a billing period, or in a day."""

    kind = "usage.quota_crossed"
    audited = Audited("usage:quota:crossed", target="org_id", shows=("limit", "share", "used", "allowed"))
    webhook = "quota.crossed"
    org_id: UUID
    limit: str
    share: int
    period_start: datetime
    allowed: int
    used: int
