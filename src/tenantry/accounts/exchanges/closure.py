"""Closing an account and opening it again: the password is verified before anything changes."""

from __future__ import annotations

from tenantry.accounts import actions
from tenantry.accounts.exchanges.proving import prove_password
from tenantry.accounts.models import User
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.work import SystemWork

EVERYWHERE = "a closing reaches the person's other devices and links, and asks every domain"


@exchange(requires=ONESELF)
async def close_account(call: Call, *, password: str) -> User:
    """Close one's account with its password; it is purged when the grace is over."""
    user, session_id = await prove_password(call, password)
    async with SystemWork(call, reason=EVERYWHERE) as work:
        return await actions.close_account(work, user_id=user.id, session_id=session_id)


@exchange(requires=ONESELF)
async def reopen_account(call: Call, *, password: str) -> User:
    """Open one's closed account again with its password."""
    user, session_id = await prove_password(call, password)
    async with SystemWork(call, reason=EVERYWHERE) as work:
        return await actions.reopen_account(work, user_id=user.id, session_id=session_id)
