"""What organizations lose when a person is purged: a membership each, and the invites to them."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import many, run, values
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork
from tenantry.orgs.actions.expiry import Ended
from tenantry.orgs.events import InviteForgotten, MemberLeft

# before their rows, as everybody does, and in one order; what is said below is forgotten with an organization that is
# being purged at this moment, for its purge waits until it is said
hold_orgs = run("""
    select from tenantry.orgs
     where id in (select org_id from tenantry.members where user_id = :user_id
                   union
                  select org_id from tenantry.invites where email_key = :email_key or user_id = :user_id)
     order by id
       for no key update
""")

end_memberships = values(
    UUID,
    """
    delete from tenantry.members
     where user_id = :user_id
 returning org_id
    """,
)

end_invites = many(
    Ended,
    """
    delete from tenantry.invites
     where email_key = :email_key
        or user_id = :user_id
 returning org_id, id
    """,
)


@action(requires=HOUSE, records=(MemberLeft, InviteForgotten))
async def part_with(work: SystemWork, user_id: UUID, email_key: str) -> None:
    """Let every organization part with a person who is purged, and with the invites to them."""
    await hold_orgs(work, user_id=user_id, email_key=email_key)
    for org_id in await end_memberships(work, user_id=user_id):
        work.record(MemberLeft(org_id=org_id, user_id=user_id, why="purged"))
    for one in await end_invites(work, user_id=user_id, email_key=email_key):
        work.record(InviteForgotten(org_id=one.org_id, invite_id=one.id, why="purged"))
