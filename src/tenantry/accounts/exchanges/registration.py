"""Joining: the verbs that hash or verify a password, or sign in at their end."""

from __future__ import annotations

from tenantry.accounts import actions, queries
from tenantry.accounts.exchanges.passwords import refuse_weak
from tenantry.accounts.exchanges.tokens import BEFORE_LOGIN, SignedIn, genuine, hand_tokens
from tenantry.accounts.models import Registration, User
from tenantry.accounts.problems import InvalidCredentials, LinkInvalid
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import ANYONE, HOUSE
from tenantry.foundation.work import SystemWork

VERIFY, PROOF = "verify e-mail", "registration proof"
CANDIDATES = 3
"""Registrations of one address whose password is tried, at most."""


@exchange(requires=ANYONE)
async def register(call: Call, *, address: MailAddress, name: str, password: str) -> str:
    """Ask to join; gives the proof of being the one who asked, which the mailed link needs beside it."""
    await call.runtime.passwords.admit()
    refuse_weak(call, password, about=(address.typed, name))
    hashed = await call.runtime.passwords.hash(password)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        registration_id = await actions.ask_to_join(work, address=address, name=name, password_hash=hashed)
    return call.runtime.one_time.issue(PROOF, registration_id, 0)


@exchange(requires=ANYONE)
async def register_invited(call: Call, *, address: MailAddress, name: str, password: str, token: str) -> SignedIn:
    """Join with a mailed invite, which proves the address: in one step one has an account, is let in and signed in."""
    # before anything is hashed or said of the address: only whoever has its mail may go on
    async with SystemWork(call, reason=BEFORE_LOGIN, reading=True) as work:
        if await actions.invited_address.ask(work, token) != address.key:
            raise LinkInvalid
    await call.runtime.passwords.admit()
    refuse_weak(call, password, about=(address.typed, name))
    hashed = await call.runtime.passwords.hash(password)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        user = await actions.join_invited(work, address=address, name=name, password_hash=hashed, token=token)
        return hand_tokens(call, user, await actions.start_session(work, user_id=user.id))


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
    mailed, own = genuine(call, VERIFY, token), genuine(call, PROOF, proof)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        registration = await queries.registration_beside(work, mailed=mailed, own=own)
        if registration is None:
            raise LinkInvalid
        return await _join(work, registration)


@exchange(requires=ANYONE)
async def verify_with_password(call: Call, *, token: str, password: str) -> SignedIn:
    """Prove an address with a mailed token and the password that one of its latest registrations chose."""
    mailed = genuine(call, VERIFY, token)
    async with SystemWork(call, reason=BEFORE_LOGIN, reading=True) as work:
        candidates = await queries.registrations_beside(work, mailed=mailed, most=CANDIDATES)
    if not candidates:
        raise LinkInvalid
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        await actions.guess(work, email_key=candidates[0].email_key)
    registration = await _with_password(call, candidates, password)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        await actions.forget_guesses(work, email_key=registration.email_key)
        return await _join(work, registration)


async def _with_password(call: Call, candidates: list[Registration], password: str) -> Registration:
    for registration in candidates:
        if (await call.runtime.passwords.verify(registration.password_hash, password)).ok:
            return registration
    raise InvalidCredentials().as_denial()


async def _join(work: SystemWork, registration: Registration) -> SignedIn:
    user = await actions.join(work, registration=registration)
    return hand_tokens(work.call, user, await actions.start_session(work, user_id=user.id))
