"""The overview: all that an organization pays for at a moment, and what that opens."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tenantry.billing.models.access import Access, ending
from tenantry.billing.models.intents import Checkout
from tenantry.billing.models.invoices import Invoice
from tenantry.billing.models.subscriptions import Subscription
from tenantry.plans.models import Plan


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What an organization pays for. `bought` and `taken` are seats."""

    on: bool
    plan: Plan
    access: Access
    restricted_from: datetime | None
    subscription: Subscription | None
    bought: int | None
    taken: int
    checkout: Checkout | None
    customer: bool
    unpaid: Invoice | None

    @property
    def ends(self) -> datetime | None:
        """When the subscription that there is was told to end."""
        return None if self.subscription is None else ending(self.subscription)
