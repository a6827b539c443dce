"""Verbs of accounts that wait for a password hash between two transactions and hold no connection meanwhile."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.accounts import actions, queries
from tenantry.accounts.actions import Scope
from tenantry.accounts.models import Credential, Registration, Rotation, User
from tenantry.accounts.problems import InvalidCredentials, LinkInvalid, RefreshRefused, WeakPassword
from tenantry.foundation.action import Refusal, exchange
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import ANYONE, HOUSE
from tenantry.foundation.problems import Unauthenticated
from tenantry.foundation.security.refresh import RefreshClaim
from tenantry.foundation.security.strength import judge
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.work import SystemWork

VERIFY, PROOF = "verify e-mail", "registration proof"
CANDIDATES = 3
"""Registrations of one address whose password is tried, at most."""
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
    await call.runtime.passwords.admit()
    if reasons := judge(password, context=(address.typed, name, call.runtime.settings.product_name)):
        raise WeakPassword([(reason.value, reason.sentence) for reason in reasons])
    hashed = await call.runtime.passwords.hash(password)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        registration_id = await actions.ask_to_join(work, address=address, name=name, password_hash=hashed)
    return call.runtime.one_time.issue(PROOF, registration_id, 0)


@exchange(requires=HOUSE)
async def add_person(call: Call, *, address: MailAddress, name: str, password: str) -> User:
    """Give a person an account whose address an operator vouches for."""
    hashed = await call.runtime.passwords.hash(password)
    async with SystemWork(call, reason="an operator adds a person") as work:
        return await actions.add_person(work, address=address, name=name, password_hash=hashed)


@exchange(requires=ANYONE)
async def resend_verification(call: Call, *, address: MailAddress) -> None:
    """Ask for the verification mail again; the answer tells nothing."""
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        await actions.ask_verification_again(work, address=address)


@exchange(requires=ANYONE)
async def verify_with_registration(call: Call, *, token: str, proof: str) -> SignedIn:
    """Prove an address with a mailed token and the proof that the registration answered with.

    Any token that was mailed to the address proves it, so that strangers who register it too are in nobody's way.
    """
    mailed, own = _genuine(call, VERIFY, token), _genuine(call, PROOF, proof)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        registration = await queries.registration_beside(work, mailed=mailed, own=own)
        if registration is None:
            raise LinkInvalid
        return await _join(work, registration)


@exchange(requires=ANYONE)
async def verify_with_password(call: Call, *, token: str, password: str) -> SignedIn:
    """Prove an address with a mailed token and the password that one of its latest registrations chose."""
    mailed = _genuine(call, VERIFY, token)
    async with SystemWork(call, reason=BEFORE_LOGIN, reading=True) as work:
        candidates = await queries.registrations_beside(work, mailed=mailed, most=CANDIDATES)
    if not candidates:
        raise LinkInvalid
    registration = await _with_password(call, candidates, password)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        return await _join(work, registration)


@exchange(requires=ANYONE)
async def login(call: Call, *, address: MailAddress, password: str) -> SignedIn | Refusal:
    """Sign in with an address and a password; unknown addresses cost and answer the same as wrong passwords."""
    # a login at the same moment may have hashed the password anew between the two looks at it: look once more
    signed_in = await _try_login(call, address, password) or await _try_login(call, address, password)
    if signed_in is None:
        raise InvalidCredentials
    return signed_in


async def _try_login(call: Call, address: MailAddress, password: str) -> SignedIn | Refusal | None:
    passwords = call.runtime.passwords
    await passwords.admit()
    async with SystemWork(call, reason=BEFORE_LOGIN, reading=True) as work:
        credential = await queries.credential_of_address(work, email_key=address.key)
    verdict = await passwords.verify(_hash_of(credential), password)
    if credential is None or not verdict.ok:
        async with SystemWork(call, reason=BEFORE_LOGIN) as work:
            return await actions.refuse_login(work, user_id=credential.user_id if credential else None)
    fresh = await passwords.hash(password) if verdict.needs_rehash else None
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        let_in = await actions.let_in(work, credential=credential, fresh=fresh)
        return let_in and _signed_in(call, *let_in)


@exchange(requires=ANYONE)
async def refresh(call: Call, *, token: str) -> SignedIn | Refusal:
    """Exchange a refresh token for the next one and a new access token."""
    claim = _claim(call, token)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        refreshed = await actions.refresh_session(work, claim=claim)
        return refreshed if isinstance(refreshed, Refusal) else _signed_in(call, *refreshed)


@exchange(requires=ANYONE)
async def logout(call: Call, *, scope: Scope, refresh_token: str | None) -> None:
    """Sign out by access token or refresh token: this device, the others, or all."""
    # read before a Work is opened: garbage never reaches the database
    asking = _device_of(call.actor) or _claim(call, refresh_token or "")
    async with SystemWork(call, reason="a refresh token alone may sign its device out") as work:
        user_id, session_id = await _device_of_claim(work, asking) if isinstance(asking, RefreshClaim) else asking
        await actions.log_out(work, user_id=user_id, session_id=session_id, scope=scope)


async def _with_password(call: Call, candidates: list[Registration], password: str) -> Registration:
    for registration in candidates:
        if (await call.runtime.passwords.verify(registration.password_hash, password)).ok:
            return registration
    raise InvalidCredentials


def _device_of(actor: Actor) -> tuple[UUID, UUID] | None:
    return None if actor.person is None or actor.session is None else (actor.person, actor.session)


async def _device_of_claim(work: SystemWork, claim: RefreshClaim) -> tuple[UUID, UUID]:
    session = await queries.session_for_update(work, session_id=claim.session)
    if session is None or session.counter != claim.counter:
        raise RefreshRefused
    return session.user_id, session.id


async def _join(work: SystemWork, registration: Registration) -> SignedIn:
    user = await actions.join(work, registration=registration)
    return _signed_in(work.call, user, await actions.start_session(work, user_id=user.id))


def _hash_of(row: Credential | None) -> str | None:
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
    # before the commit: where there is no key to sign with, nothing has happened
    subject = {"subject": USER_ID.text(user.id), "session": SESSION_ID.text(rotation.session_id)}
    access, life = call.runtime.keys.issue(subject)
    return SignedIn(access, call.runtime.refresh.issue(rotation.session_id, rotation.counter), life, user)
