"""Signing in, staying signed in and signing out."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts import actions, queries
from tenantry.accounts.actions import Scope
from tenantry.accounts.exchanges.proving import try_password
from tenantry.accounts.exchanges.tokens import BEFORE_LOGIN, SignedIn, hand_tokens
from tenantry.accounts.models import Rotation, User
from tenantry.accounts.problems import InvalidCredentials, RefreshRefused
from tenantry.foundation.action import Refusal, exchange
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import ANYONE, Role
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.security.refresh import RefreshClaim
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.work import SystemWork


@exchange(requires=ANYONE)
async def login(call: Call, *, address: MailAddress, password: str) -> SignedIn | Refusal:
    """Sign in with an address and a password; unknown addresses cost and answer the same as wrong passwords."""
    # a login at the same moment may have hashed the password anew between the two looks at it: look once more
    signed_in = await _try_login(call, address, password) or await _try_login(call, address, password)
    if signed_in is None:
        raise InvalidCredentials
    return signed_in


async def _try_login(call: Call, address: MailAddress, password: str) -> SignedIn | Refusal | None:
    tried = await try_password(call, email_key=address.key, password=password)
    if isinstance(tried, Refusal):
        return tried
    fresh = await call.runtime.passwords.hash(password) if tried.needs_rehash else None
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        let_in = await actions.let_in(work, credential=tried.credential, fresh=fresh)
        return let_in and hand_tokens(call, *let_in)


@exchange(requires=ANYONE)
async def refresh(call: Call, *, token: str) -> SignedIn | Refusal:
    """Exchange a refresh token for the next one and a new access token."""
    claim = _claim(call, token)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        refreshed = await actions.refresh_session(work, claim=claim)
        if isinstance(refreshed, Refusal):
            return refreshed
        user, rotation = refreshed
        return hand_tokens(call, user, rotation, role=await _role(work, user, rotation))


async def _role(work: SystemWork, user: User, rotation: Rotation) -> Role | None:
    """The person's role in the organization that the device is bound to; none if it was lost meanwhile."""
    if rotation.org_id is None:
        return None
    return await actions.role_of_member.ask(work, user.id, rotation.org_id)


@exchange(requires=ANYONE)
async def logout(call: Call, *, scope: Scope, refresh_token: str | None) -> None:
    """Sign out by access token or refresh token: this device, the others, or all."""
    # read before a Work is opened: garbage never reaches the database
    asking = _device_of(call.actor) or _claim(call, refresh_token or "")
    async with SystemWork(call, reason="a refresh token alone may sign its device out") as work:
        user_id, session_id = await _device_of_claim(work, asking) if isinstance(asking, RefreshClaim) else asking
        await actions.log_out(work, user_id=user_id, session_id=session_id, scope=scope)


@exchange(requires=ANYONE)
async def leave(call: Call) -> None:
    """Sign out the device that is asking, if it is signed in at all."""
    asking = _device_of(call.actor)
    if asking is None:
        return
    user_id, session_id = asking
    async with SystemWork(call, reason="whether it is still signed in makes no difference") as work:
        await actions.end_session(work, user_id=user_id, session_id=session_id, why="logout")


def _device_of(actor: Actor) -> tuple[UUID, UUID] | None:
    return None if actor.person is None or actor.session is None else (actor.person, actor.session)


async def _device_of_claim(work: SystemWork, claim: RefreshClaim) -> tuple[UUID, UUID]:
    session = await queries.session_for_update(work, session_id=claim.session)
    if session is None or session.counter != claim.counter:
        raise RefreshRefused
    return session.user_id, session.id


def _claim(call: Call, token: str) -> RefreshClaim:
    if not token:
        raise Unauthenticated
    try:
        return call.runtime.refresh.read(token)
    except BadToken as error:
        raise RefreshRefused from error
