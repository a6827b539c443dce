"""Proving: that it is really the person, by their password or by a login just now."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.accounts import actions, queries
from tenantry.accounts.models import RECENT, Credential, User
from tenantry.accounts.problems import InvalidCredentials
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.refusals import ProofNeeded
from tenantry.foundation.work import PersonWork, SystemWork

GUESS = "whose password is tried is not known before it is right"


class Proven(msgspec.Struct, frozen=True):
    """A credential whose password was right, and whether to store a new hash of it."""

    credential: Credential
    needs_rehash: bool


async def try_password(call: Call, *, email_key: str, password: str) -> Proven | Refusal:
    """Count a guess at an address's password and verify it; nobody's address costs and answers the same."""
    passwords = call.runtime.passwords
    await passwords.admit()
    async with SystemWork(call, reason=GUESS) as work:
        credential = await actions.guess(work, email_key=email_key)
    verdict = await passwords.verify(None if credential is None else credential.password_hash, password)
    if credential is None or not verdict.ok:
        async with SystemWork(call, reason=GUESS) as work:
            return await actions.refuse_login(work, user_id=credential.user_id if credential else None)
    return Proven(credential, verdict.needs_rehash)


async def prove_password(call: Call, password: str) -> tuple[User, UUID]:
    """Make sure by their password that it is the person; wrong ones count like wrong ones at a login.

    Gives the person and the session that is asking.
    """
    async with PersonWork(call, reading=True) as person:
        user, session_id = await queries.oneself(person), person.session_id
    email_key = read_address(user.email).key
    if isinstance(await try_password(call, email_key=email_key, password=password), Refusal):
        raise InvalidCredentials
    async with SystemWork(call, reason=GUESS) as work:
        await actions.forget_guesses(work, email_key=email_key)
    return user, session_id


async def prove_recently(call: Call, password: str | None) -> tuple[User, UUID]:
    """Make sure that it is the person: by their password if they give it, else by a login in the last 15 minutes."""
    if password is not None:
        return await prove_password(call, password)
    async with PersonWork(call, reading=True) as person:
        if not await queries.signed_in_within(person, session_id=person.session_id, recent=RECENT):
            raise ProofNeeded
        return await queries.oneself(person), person.session_id
