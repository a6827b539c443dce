"""The end of invites that nobody answered in time, and of what is left of those that were."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import many
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork
from tenantry.orgs.events import InviteExpired, InviteForgotten
from tenantry.orgs.models import INVITE_KEPT


class Ended(msgspec.Struct, frozen=True):
    """An invite whose time was over."""

    org_id: UUID
    id: UUID


# one that is being answered or sent again at this moment is left for the next time
set_expired = many(
    Ended,
    """
    update tenantry.invites
       set status = 'expired', settled_at = tenantry.now()
     where id in (select id
                    from tenantry.invites
                   where status = 'pending'
                     and expires_at <= tenantry.now()
                   order by expires_at
                   limit :most
                     for update skip locked)
 returning org_id, id
    """,
)

forget_old = many(
    Ended,
    """
    delete from tenantry.invites
     where id in (select id
                    from tenantry.invites
                   where settled_at < tenantry.now() - :kept::interval
                   limit :most
                     for update skip locked)
 returning org_id, id
    """,
)


@action(requires=HOUSE, records=(InviteExpired, InviteForgotten))
async def expire_invites(work: SystemWork, *, most: int) -> int:
    """Say of invites that nobody answered in time that they are expired, and remove old ones; gives how many were."""
    overdue = await set_expired(work, most=most)
    for one in overdue:
        work.record(InviteExpired(org_id=one.org_id, invite_id=one.id))
    for one in await forget_old(work, kept=INVITE_KEPT, most=most):
        work.record(InviteForgotten(org_id=one.org_id, invite_id=one.id, why="old"))
    return len(overdue)
