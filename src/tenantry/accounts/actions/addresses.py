"""How a person comes by a new address: asked for while signed in, and proven by a link that is mailed to it."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts import queries
from tenantry.accounts.actions.links import forget_resets
from tenantry.accounts.actions.person import lock_person
from tenantry.accounts.actions.sessions import end_every_session
from tenantry.accounts.events import AddressChangeAsked, AddressChanged
from tenantry.accounts.models import CHANGE_LIFE, AddressChange, User
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import maybe, run, value
from tenantry.foundation.events.details import Details
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

keep_change = run("""
    insert into tenantry.address_changes (user_id, id, email, email_key, previous, expires_at)
    select users.id, :id, :email, :email_key, users.email, tenantry.now() + :life::interval
      from tenantry.users
     where users.id = :user_id
        on conflict (user_id) do update
       set id = excluded.id, email = excluded.email, email_key = excluded.email_key, previous = excluded.previous,
           expires_at = excluded.expires_at, confirmed_at = null
""")


@action(requires=HOUSE, records=AddressChangeAsked)
async def ask_address_change(work: SystemWork, *, user_id: UUID, address: MailAddress) -> None:
    """Ask for another address; nothing changes until it is proven, and what was asked for before is forgotten."""
    change_id = new_id()
    await keep_change(work, id=change_id, user_id=user_id, email=address.typed, email_key=address.key, life=CHANGE_LIFE)
    work.record(AddressChangeAsked(user_id=user_id, change_id=change_id))


take_change = maybe(
    AddressChange,
    """
    update tenantry.address_changes
       set confirmed_at = tenantry.now()
     where id = :change_id
       and user_id = :user_id
       and confirmed_at is null
       and expires_at > tenantry.now()
 returning user_id, id, email, email_key, previous
    """,
)

move = value(
    str,
    """
    with before as (
        select email_key from tenantry.users where id = :user_id
    )
    update tenantry.users
       set email = :email, email_key = :email_key, version = version + 1, updated_at = tenantry.now()
     where id = :user_id
 returning (select email_key from before)
    """,
)


@action(requires=HOUSE, records=AddressChanged)
async def change_address(work: SystemWork, *, user_id: UUID, session_id: UUID, change_id: UUID) -> User:
    """Put the proven address in place of the old one and sign out the person's other devices."""
    await lock_person(work, user_id=user_id)
    change = await take_change(work, change_id=change_id, user_id=user_id)
    if change is None:
        raise LinkInvalid
    given_up = await move(work, user_id=user_id, email=change.email, email_key=change.email_key)
    await end_every_session(work, user_id=user_id, why="address", keep=session_id)
    await forget_resets(work, user_id=user_id)
    moved = {"email": change.email, "email_was": change.previous}
    # by the address that was theirs until now, their purge finds what was said of it
    details = Details(moved, person=user_id, email_key=given_up)
    work.record(AddressChanged(user_id=user_id, change_id=change_id), details=details)
    return await queries.user_by_id(work, user_id=user_id)
