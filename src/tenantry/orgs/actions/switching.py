"""Binding a device's tokens to one organization."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts import actions as accounts
from tenantry.foundation.action import action
from tenantry.foundation.permission import ONESELF, Role
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import PersonWork
from tenantry.orgs.actions.belonging import role_of


@action(requires=ONESELF)
async def switch_org(work: PersonWork, *, org_id: UUID | None) -> Role | None:
    """Bind the device that asks to one of one's organizations, or to none; gives the role there."""
    role = await role_of(work, work.person, org_id) if org_id else None
    if org_id is not None and role is None:
        raise NotFound
    await accounts.bind_session(work, org_id=org_id)
    return role
