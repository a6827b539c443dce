"""Seats: members, and invites that wait for an answer."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.work import Work
from tenantry.orgs.models import Comes
from tenantry.plans import queries
from tenantry.plans.actions.gates import refuse_beyond, room_taken
from tenantry.plans.models import SEATS, Taking


async def room_for_members(work: Work, org_id: UUID, adding: int, how: Comes) -> None:
    """Let so many more in, or be invited, if the plan has seats for them; whoever asks holds the organization.

    Who accepts goes before the invites that still wait: where there are more of those than seats, the first are let in.
    """
    found = await queries.entitlements(work, org_id)
    most = found.room_for_seats
    if most is not None:
        count = queries.members_seated if how == "accepted" else queries.seats_taken
        used = await count(work, org_id=org_id) or 0
        await refuse_beyond(work, org_id, found, SEATS, most=most, used=used, adding=adding)
        if how != "accepted":
            # who accepts has had a seat since they were invited
            await room_taken.ask(work, org_id, Taking(SEATS, before=used, after=used + adding, allowed=most))
