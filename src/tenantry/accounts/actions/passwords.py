"""How a person comes by a new password: by a mailed link, or while signed in."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tenantry.accounts.actions.guesses import forget_guesses
from tenantry.accounts.actions.links import forget_links
from tenantry.accounts.actions.sessions import end_every_session
from tenantry.accounts.events import PasswordChanged, PasswordResetAsked
from tenantry.accounts.models import RESET_LIFE
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import NotFound
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


take_reset = value(
    UUID,
    """
    delete from tenantry.password_resets
     using tenantry.users
     where password_resets.id = :reset_id
       and password_resets.expires_at > tenantry.now()
       and users.id = password_resets.user_id
       and users.disabled_at is null
 returning users.id
    """,
)


@action(requires=HOUSE)
async def reset_password(work: SystemWork, *, reset_id: UUID, password_hash: str) -> None:
    """Set the password that the holder of a link chose, and sign out every device."""
    user_id = await take_reset(work, reset_id=reset_id)
    if user_id is None:
        raise LinkInvalid
    await set_password(work, user_id=user_id, password_hash=password_hash, by_link=True, keep=None)


replace_password = value(
    str,
    """
    update tenantry.credentials
       set password_hash = :password_hash, changed_at = tenantry.now()
      from tenantry.users
     where credentials.user_id = :user_id
       and users.id = credentials.user_id
 returning users.email_key
    """,
)


@action(requires=HOUSE, records=PasswordChanged)
async def set_password(
    work: SystemWork, *, user_id: UUID, password_hash: str, by_link: bool, keep: UUID | None
) -> None:
    """Set a new password and sign out every other device than the one kept; links mailed before are dead."""
    # the credential first: a login with the old password either sees it gone, or its session is there to be ended
    email_key = await replace_password(work, user_id=user_id, password_hash=password_hash)
    if email_key is None:
        raise NotFound
    await end_every_session(work, user_id=user_id, why="password", keep=keep)
    await forget_links(work, user_id=user_id)
    await forget_guesses(work, email_key=email_key)
    work.record(PasswordChanged(user_id=user_id, by_link=by_link))
