"""Usage as it is reported to the meters at Stripe."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec


class UsageReport(msgspec.Struct, frozen=True):
    """So much of a meter that a customer used in an hour; with its id, however often it is said, once."""

    org_id: UUID
    id: UUID
    customer_id: str
    meter: str
    hour: datetime
    quantity: int
