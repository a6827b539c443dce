"""Doubling: that a second subscription ended, and what was given back."""

from __future__ import annotations

from uuid import UUID

from tenantry.billing.actions.applying import TOLD, apply_answer
from tenantry.billing.events import DoubleEnded
from tenantry.billing.models import Truth
from tenantry.foundation.action import action
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork


@action(requires=HOUSE, records=(*TOLD, DoubleEnded))
async def keep_double_ended(
    work: SystemWork, *, org_id: UUID, subscription_id: str, truth: Truth, refunded: int, currency: str
) -> None:
    """Keep that a subscription which doubled another one has ended, and how much went back."""
    await apply_answer(work, org_id=org_id, truth=truth)
    work.record(DoubleEnded(org_id=org_id, subscription=subscription_id, refunded=refunded, currency=currency))
