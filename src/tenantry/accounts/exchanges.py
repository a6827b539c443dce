"""Verbs of accounts that wait for a password hash between two transactions and hold no connection meanwhile."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.accounts import actions, queries
from tenantry.accounts.actions import Scope
from tenantry.accounts.models import Credential, Registration, Rotation, User
from tenantry.accounts.problems import InvalidCredentials, LinkInvalid, RefreshRefused, WeakPassword
from tenantry.foundation.action import Refusal, exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.security.refresh import RefreshClaim
from tenantry.foundation.security.strength import judge
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.work import SystemWork

VERIFY, PROOF = "verify e-mail", "registration proof"
BEFORE_LOGIN = "nobody is signed in yet"


class SignedIn(msgspec.Struct, frozen=True):
    """A person's tokens: five minutes of access, and the refresh token that gets the next ones."""

    access_token: str
    refresh_token: str
    expires_in: int
    user: User


@exchange(requires=ANYONE)
async def register(call: Call, *, address: MailAddress, name: str, password: str) -> str:
    """Ask to join; gives the proof of being the one who asked, which the mailed link needs beside it."""
    if reasons := judge(password, context=(address.typed, name, call.runtime.settings.product_name)):
        raise WeakPassword([(reason.value, reason.sentence) for reason in reasons])
    hashed = await call.runtime.passwords.hash(password)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        registration_id = await actions.ask_to_join(work, address=address, name=name, password_hash=hashed)
    return call.runtime.one_time.issue(PROOF, registration_id, 0)


@exchange(requires=ANYONE)
async def resend_verification(call: Call, *, address: MailAddress) -> None:
    """Ask for the verification mail again; the answer tells nothing."""
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        await actions.ask_verification_again(work, address=address)


@exchange(requires=ANYONE)
async def verify_with_registration(call: Call, *, token: str, proof: str) -> SignedIn:
    """Prove an address with the mailed token and the proof that the registration answered with."""
    registration_id = _genuine(call, VERIFY, token)
    if _genuine(call, PROOF, proof) != registration_id:
        raise LinkInvalid
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        registration = await queries.pending_registration(work, registration_id=registration_id)
        if registration is None:
            raise LinkInvalid
        user, rotation = await _join(work, registration)
    return _signed_in(call, user, rotation)


@exchange(requires=ANYONE)
async def verify_with_password(call: Call, *, token: str, password: str) -> SignedIn:
    """Prove an address with the mailed token and the password that the registration chose."""
    registration_id = _genuine(call, VERIFY, token)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        registration = await queries.pending_registration(work, registration_id=registration_id)
    verdict = await call.runtime.passwords.verify(_hash_of(registration), password)
    if registration is None:
        raise LinkInvalid
    if not verdict.ok:
        raise InvalidCredentials
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        user, rotation = await _join(work, registration)
    return _signed_in(call, user, rotation)


@exchange(requires=ANYONE)
async def login(call: Call, *, address: MailAddress, password: str) -> SignedIn | Refusal:
    """Sign in with an address and a password; unknown addresses cost and answer the same as wrong passwords."""
    passwords = call.runtime.passwords
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        credential = await queries.credential_of_address(work, email_key=address.key)
    verdict = await passwords.verify(_hash_of(credential), password)
    if credential is None or not verdict.ok:
        async with SystemWork(call, reason=BEFORE_LOGIN) as work:
            return await actions.refuse_login(work, user_id=credential.user_id if credential else None)
    fresh = await passwords.hash(password) if verdict.needs_rehash else None
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        user, rotation = await actions.let_in(work, credential=credential, fresh=fresh)
    return _signed_in(call, user, rotation)


@exchange(requires=ANYONE)
async def refresh(call: Call, *, token: str) -> SignedIn | Refusal:
    """Exchange a refresh token for the next one and a new access token."""
    claim = _claim(call, token)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        rotation = await actions.refresh_session(work, claim=claim)
        if isinstance(rotation, Refusal):
            return rotation
        user = await queries.user_by_id(work, user_id=rotation.user_id)
    if user is None:
        raise RefreshRefused
    return _signed_in(call, user, rotation)


@exchange(requires=ANYONE)
async def logout(call: Call, *, scope: Scope, refresh_token: str | None) -> None:
    """Sign out by access token or refresh token: this device, the others, or all."""
    user_id, session_id = call.actor.person, call.actor.session
    async with SystemWork(call, reason="a refresh token alone may sign its device out") as work:
        if user_id is None or session_id is None:
            claim = _claim(call, refresh_token or "")
            session = await queries.session_for_update(work, session_id=claim.session)
            if session is None or session.counter != claim.counter:
                raise RefreshRefused
            user_id, session_id = session.user_id, session.id
        await actions.log_out(work, user_id=user_id, session_id=session_id, scope=scope)


async def _join(work: SystemWork, registration: Registration) -> tuple[User, Rotation]:
    user = await actions.join(work, registration=registration)
    return user, await actions.start_session(work, user_id=user.id)


def _hash_of(row: Registration | Credential | None) -> str | None:
    return None if row is None else row.password_hash


def _genuine(call: Call, purpose: str, token: str) -> UUID:
    one_time = call.runtime.one_time
    try:
        row = one_time.read(token)
    except BadToken as error:
        raise LinkInvalid from error
    if not one_time.verify(purpose, row, 0, token):
        raise LinkInvalid
    return row


def _claim(call: Call, token: str) -> RefreshClaim:
    if not token:
        raise Unauthenticated
    try:
        return call.runtime.refresh.read(token)
    except BadToken as error:
        raise RefreshRefused from error


def _signed_in(call: Call, user: User, rotation: Rotation) -> SignedIn:
    subject = {"subject": USER_ID.text(user.id), "session": SESSION_ID.text(rotation.session_id)}
    access, life = call.runtime.keys.issue(subject)
    return SignedIn(access, call.runtime.refresh.issue(rotation.session_id, rotation.counter), life, user)
