"""How a person comes by a new password: by a mailed link, or while signed in."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tenantry.accounts.actions.guesses import forget_guesses
from tenantry.accounts.actions.links import forget_links
from tenantry.accounts.actions.person import lock_person
from tenantry.accounts.actions.sessions import end_every_session
from tenantry.accounts.events import PasswordChanged, PasswordResetAsked
from tenantry.accounts.models import RESET_LIFE
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import run
from tenantry.foundation.net.address import MailAddress, read_address
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.refusals import SessionEnded as SessionHasEnded
from tenantry.foundation.security.limits import Limit
from tenantry.foundation.security.turns import spend_turn
from tenantry.foundation.work import SystemWork

RESETS = Limit("resets", 5, timedelta(hours=1), by="address")
"""Links for a new password to one address; more are asked for in vain, and nobody is told."""

keep_reset = run("""
    insert into tenantry.password_resets (user_id, id, expires_at)
    select users.id, :id, tenantry.now() + :life::interval
      from tenantry.users
     where email_key = :email_key
       and disabled_at is null
        on conflict (user_id) do update set id = excluded.id, expires_at = excluded.expires_at
""")


@action(requires=HOUSE, records=PasswordResetAsked)
async def ask_password_reset(work: SystemWork, *, address: MailAddress) -> None:
    """Ask for a link that sets a new password; those asked for before are dead, and an unknown address gets none."""
    # before the link is replaced: a stranger must not kill the person's links as often as they like
    if not await spend_turn(work, RESETS, address.key):
        return
    reset_id = new_id()
    await keep_reset(work, id=reset_id, email_key=address.key, life=RESET_LIFE)
    work.record(PasswordResetAsked(reset_id=reset_id))


take_reset = run("""
    delete from tenantry.password_resets
     where id = :reset_id
       and user_id = :user_id
       and expires_at > tenantry.now()
""")


@action(requires=HOUSE)
async def reset_password(work: SystemWork, *, user_id: UUID, reset_id: UUID, password_hash: str) -> None:
    """Set the password that the holder of a link chose, and sign out every device."""
    await lock_person(work, user_id=user_id)
    if not await take_reset(work, reset_id=reset_id, user_id=user_id):
        raise LinkInvalid
    await set_password(work, user_id=user_id, password_hash=password_hash, by_link=True, keep=None)


replace_password = run("""
    update tenantry.credentials
       set password_hash = :password_hash, changed_at = tenantry.now()
     where user_id = :user_id
""")


@action(requires=HOUSE, records=PasswordChanged)
async def set_password(
    work: SystemWork, *, user_id: UUID, password_hash: str, by_link: bool, keep: UUID | None
) -> None:
    """Set a new password and sign out every other device than the one kept; links mailed before are dead."""
    user = await lock_person(work, user_id=user_id)
    if user is None:
        raise SessionHasEnded
    await replace_password(work, user_id=user_id, password_hash=password_hash)
    await end_every_session(work, user_id=user_id, why="password", keep=keep)
    await forget_links(work, user_id=user_id)
    await forget_guesses(work, email_key=read_address(user.email).key)
    work.record(PasswordChanged(user_id=user_id, by_link=by_link))
