"""Invites, seen and answered by whom they are for."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.permission import ANYONE, ONESELF
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions, queries
from tenantry.orgs.models import Joined, Offer

INVITED = "whom an invite is for belongs to no organization yet, or to another"


@exchange(requires=ANYONE)
async def look_at_invite(call: Call, *, token: str) -> Offer:
    """Read what a mailed link offers; nothing changes by that."""
    async with SystemWork(call, reason=INVITED, reading=True) as work:
        return await actions.offered(work, token)


@exchange(requires=ONESELF)
async def offers_of_oneself(call: Call, *, query: ListQuery) -> tuple[list[Offer], str | None]:
    """The invites to one's own address that wait for an answer; an account's address is a proven one."""
    user_id, session_id = _oneself(call)
    async with SystemWork(call, reason=INVITED, reading=True) as work:
        await actions.enter(work, user_id=user_id, session_id=session_id)
        email_key = await queries.address_of(work, user_id=user_id)
        return await queries.offers.read(work, query, email_key=email_key)


@exchange(requires=ONESELF)
async def accept_invite(call: Call, *, token: str | None = None, invite_id: UUID | None = None) -> Joined:
    """Accept an invite by the mailed token, or by its id where it is for one's own address."""
    user_id, session_id = _oneself(call)
    async with SystemWork(call, reason=INVITED) as work:
        email_key = await actions.hold_person(work, user_id=user_id, session_id=session_id)
        found = invite_id or actions.invite_of_link(work, token or "")
        return await actions.accept_invite(work, invite_id=found, token=token, user_id=user_id, email_key=email_key)


@exchange(requires=ANYONE)
async def decline_invite(call: Call, *, token: str | None = None, invite_id: UUID | None = None) -> None:
    """Decline an invite by the mailed token, signed in or not; or by its id where it is for one's own address."""
    async with SystemWork(call, reason=INVITED) as work:
        user_id = email_key = None
        if invite_id is not None or call.actor.person is not None:
            user_id, session_id = _oneself(call)
            email_key = await actions.hold_person(work, user_id=user_id, session_id=session_id)
        found = invite_id or actions.invite_of_link(work, token or "")
        await actions.decline_invite(work, invite_id=found, token=token, user_id=user_id, email_key=email_key)


def _oneself(call: Call) -> tuple[UUID, UUID]:
    if call.actor.person is None or call.actor.session is None:
        raise Unauthenticated
    return call.actor.person, call.actor.session
