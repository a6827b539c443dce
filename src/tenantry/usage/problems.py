"""What is refused about usage."""

from __future__ import annotations

from tenantry.foundation.problems import PlanNeeded


class QuotaReached(PlanNeeded):
    """The organization has used as much of this as its plan allows until the next period."""

    code = "quota_reached"
