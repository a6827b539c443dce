"""Seats: members, and invites that wait for an answer."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.work import Work
from tenantry.plans import queries
from tenantry.plans.actions.gates import refuse_beyond
from tenantry.plans.models import SEATS


async def room_for_members(work: Work, org_id: UUID, adding: int) -> None:
    """Let so many more in, or be invited, if the plan has seats for them; whoever asks holds the organization."""
    found = await queries.entitlements(work, org_id)
    if found.limit(SEATS) is not None:
        refuse_beyond(
            work, org_id, found, SEATS, used=await queries.seats_taken(work, org_id=org_id) or 0, adding=adding
        )
