"""Growing: the seats that people take are bought, where the plan's seats grow."""

from __future__ import annotations

from uuid import UUID

from tenantry.billing import actions
from tenantry.billing.exchanges.carrying import carry_out_change
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

GROWS = "who was let in is bought a seat for, by no member's hand"


@exchange(requires=HOUSE)
async def grow_seats(call: Call, *, org_id: UUID) -> None:
    """Buy as many seats as are taken; BillingBusy while something else is asked for."""
    async with SystemWork(call, reason=GROWS) as work:
        intent = await actions.begin_growth(work, org_id=org_id)
    if intent is not None:
        await carry_out_change(call, intent)
