"""How an account is closed, opened again while there is time, and purged when there is none left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from tenantry.accounts import queries
from tenantry.accounts.actions.links import forget_links
from tenantry.accounts.actions.person import lock_person
from tenantry.accounts.actions.registration import take_turn
from tenantry.accounts.actions.sessions import end_every_session, lock_sessions
from tenantry.accounts.events import AddressForgotten, UserClosed, UserPurged, UserReopened
from tenantry.accounts.models import GRACE, User
from tenantry.accounts.problems import AddressTaken, Blocker, ClosureBlocked, NotClosed
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.fate import Fate, Person, erased, kept, let_come
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.question import Question, all_of, nothing
from tenantry.foundation.refusals import AccountClosed
from tenantry.foundation.refusals import SessionEnded as SessionHasEnded
from tenantry.foundation.work import SystemWork

what_blocks_closing: Question[[UUID], Sequence[Blocker]] = Question(
    "what_blocks_closing", "What must be settled before this person can close their account?", settle=all_of
)
part_with: Question[[UUID, str], None] = Question(
    "part_with", "Part with this person, or with this address, and say of each row that it is gone.", settle=nothing
)

set_closed = run("""
    update tenantry.users
       set closed_at = tenantry.now(), purge_at = tenantry.now() + :grace::interval,
           version = version + 1, updated_at = tenantry.now()
     where id = :user_id
""")


@action(requires=HOUSE, records=UserClosed)
async def close_account(work: SystemWork, *, user_id: UUID, session_id: UUID) -> User:
    """Close a person's account: their other devices are signed out, and it is purged when the grace is over."""
    # the person's row first, as at a login: one that comes in meanwhile is seen below and signed out too
    user = await _locked(work, user_id, session_id)
    if user.purge_at is not None:
        raise AccountClosed
    if blockers := await what_blocks_closing.ask(work, user_id):
        raise ClosureBlocked(blockers)
    await set_closed(work, user_id=user_id, grace=GRACE)
    await end_every_session(work, user_id=user_id, why="closed", keep=session_id)
    await forget_links(work, user_id=user_id)
    work.record(UserClosed(user_id=user_id))
    return await queries.user_by_id(work, user_id=user_id)


set_open = run("""
    update tenantry.users
       set closed_at = null, purge_at = null, version = version + 1, updated_at = tenantry.now()
     where id = :user_id
""")


@action(requires=HOUSE, records=UserReopened)
async def reopen_account(work: SystemWork, *, user_id: UUID, session_id: UUID) -> User:
    """Open a closed account again, as long as it is not purged."""
    user = await _locked(work, user_id, session_id)
    if user.purge_at is None:
        raise NotClosed
    await set_open(work, user_id=user_id)
    work.record(UserReopened(user_id=user_id))
    return await queries.user_by_id(work, user_id=user_id)


async def _locked(work: SystemWork, user_id: UUID, session_id: UUID) -> User:
    # since the password was proven the account may have been disabled or purged, and the device signed out
    user = await lock_person(work, user_id=user_id)
    if user is None or session_id not in await lock_sessions(work, user_id=user_id):
        raise SessionHasEnded
    return user


lock_due = value(
    str,
    """
    select email_key
      from tenantry.users
     where id = :user_id
       and purge_at <= tenantry.now()
       for update
    """,
)

remove_user = run("delete from tenantry.users where id = :user_id")


@action(requires=HOUSE, records=UserPurged)
async def purge_person(work: SystemWork, *, user_id: UUID) -> None:
    """Forget a person whose grace is over, in every table; one who reopened the account at the last moment stays."""
    # the lock decides between this and a reopening at the same moment: whoever comes second finds nothing to do
    email_key = await lock_due(work, user_id=user_id)
    if email_key is None:
        return
    for address in [*await queries.addresses_before(work, user_id=user_id), email_key]:
        await _forgotten(work, user_id, address)
    work.record(UserPurged(user_id=user_id))


async def _forgotten(work: SystemWork, user_id: UUID, email_key: str) -> None:
    """Rows of a history say that they go; what is left, and all that has no history, goes by its table's fate."""
    await part_with.ask(work, user_id, email_key)
    await let_come(work, work.runtime.fates, Person(user_id, email_key))


ADDRESS_HAS_ACCOUNT = "This address belongs to an account; what is held about it goes when its person closes that."


@action(requires=HOUSE, records=AddressForgotten)
async def forget_address(work: SystemWork, *, address: MailAddress) -> None:
    """Forget an address that has no account wherever it was typed: in invites, registrations and the history."""
    await take_turn(work, turn=f"join as {address.key}")
    if await queries.address_of_account(work, email_key=address.key) is not None:
        raise AddressTaken(ADDRESS_HAS_ACCOUNT)
    # nobody has this id
    await _forgotten(work, new_id(), address.key)
    work.record(AddressForgotten())


TABLES: Mapping[str, Fate] = {
    "registrations": erased(run("delete from tenantry.registrations where email_key = :email_key")),
    "registration_mails": erased(run("delete from tenantry.registration_mails where email_key = :email_key")),
    "guesses": kept("digests of addresses, swept a day after the last guess"),
    "password_resets": erased(run("delete from tenantry.password_resets where user_id = :user_id")),
    "address_changes": erased(run("delete from tenantry.address_changes where user_id = :user_id")),
    "exports": erased(run("delete from tenantry.exports where user_id = :user_id")),
    "sessions": erased(run("delete from tenantry.sessions where user_id = :user_id")),
    "disablings": erased(run("delete from tenantry.disablings where user_id = :user_id")),
    "credentials": erased(run("delete from tenantry.credentials where user_id = :user_id")),
    "users": erased(remove_user),
}
"""What becomes of a purged person in each table of accounts; the order is the order in which it happens."""
