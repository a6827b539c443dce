"""Giving a token back: the session behind it ends, and the answer tells nothing (RFC 7009)."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts import actions
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import SESSION_ID
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.security.refresh import PREFIX
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.work import SystemWork


@exchange(requires=ANYONE)
async def revoke(call: Call, *, token: str) -> None:
    """End the session of a refresh or access token; whoever holds one may, and of anything else nothing is said."""
    # read before a Work is opened: garbage never reaches the database
    session_id = await _session_of(call, token)
    if session_id is None:
        return
    async with SystemWork(call, reason="a token alone may end its session") as work:
        await actions.revoke_session(work, session_id=session_id)


async def _session_of(call: Call, token: str) -> UUID | None:
    try:
        if token.startswith(PREFIX):
            # an earlier one as well: at a refresh it would end the session, here it does what was asked
            return call.runtime.refresh.read(token).session
        return SESSION_ID.read((await call.runtime.keys.verify(token)).sid)
    except BadToken:
        # not ours or expired: RFC 7009 wants the same answer, for the token is of no use to anybody
        return None
