"""Joining by a mailed token of another domain: it proves the address as a link of ours does, and leads somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.accounts import queries
from tenantry.accounts.actions.registration import REMOVED_AT_ONCE, joined_as, keep_user, take_registrations, take_turn
from tenantry.accounts.events import UserJoined
from tenantry.accounts.models import User
from tenantry.accounts.problems import AddressTaken
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.question import Question, nothing
from tenantry.foundation.work import SystemWork

SIGN_IN = "This address already belongs to an account; sign in and accept the invite."


def _first(answers: Sequence[str | None]) -> str | None:
    return next((address for address in answers if address is not None), None)


invited_address: Question[[str], str | None] = Question(
    "invited_address", "Which address does this mailed token invite, as it is compared?", settle=_first
)

take_in: Question[[str, UUID, str], None] = Question(
    "take_in", "Let this person, who just joined with this token and this address, in where it leads.", settle=nothing
)


@action(requires=HOUSE, records=UserJoined)
async def join_invited(work: SystemWork, *, address: MailAddress, name: str, password_hash: str, token: str) -> User:
    """Give whoever holds an invite to an address an account with it, and let them in where the invite leads."""
    await take_turn(work, turn=f"join as {address.key}")
    if await queries.address_of_account(work, email_key=address.key) is not None:
        raise AddressTaken(SIGN_IN)
    # nobody's proof of one of them counts any more: the address has its account
    await take_registrations(work, email_key=address.key, chosen=new_id(), most=REMOVED_AT_ONCE)
    user = await keep_user(
        work, id=new_id(), email=address.typed, email_key=address.key, name=name, password_hash=password_hash
    )
    work.record(UserJoined(user_id=user.id, registration_id=None), details=joined_as(user, address.key))
    await take_in.ask(work, token, user.id, address.key)
    return user
