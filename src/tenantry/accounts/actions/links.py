"""Links that were mailed, and mean nothing any more: overtaken by what happened since, or never followed."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

forget_resets = run("delete from tenantry.password_resets where user_id = :user_id")
forget_changes = run("delete from tenantry.address_changes where user_id = :user_id and confirmed_at is null")


@action(requires=HOUSE)
async def forget_links(work: SystemWork, *, user_id: UUID) -> None:
    """Make the links that were mailed to a person, and not followed yet, mean nothing any more."""
    await forget_resets(work, user_id=user_id)
    await forget_changes(work, user_id=user_id)


expired_resets = run("delete from tenantry.password_resets where expires_at < tenantry.now()")
# one that was confirmed stays a while: the mail to the address before takes it from here
expired_changes = run("delete from tenantry.address_changes where expires_at < tenantry.now() - interval '7 days'")


@action(requires=HOUSE)
async def forget_expired_links(work: SystemWork) -> int:
    """Remove what links stood for that nobody followed in time; says how many."""
    return await expired_resets(work) + await expired_changes(work)
