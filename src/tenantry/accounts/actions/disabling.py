"""How an operator keeps a person out, for a time or until further notice, and lets them in again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tenantry.accounts import queries
from tenantry.accounts.actions.sessions import end_every_session
from tenantry.accounts.events import SessionEnded, UserDisabled, UserEnabled
from tenantry.accounts.models import LONGEST_WHY
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value, values
from tenantry.foundation.events.details import Details
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import FieldError, Invalid, NotFound
from tenantry.foundation.work import SystemWork

# the person's row first, as at a login: one that comes in meanwhile is seen below and signed out too
set_disabled = value(
    UUID,
    """
    update tenantry.users
       set disabled_at = coalesce(disabled_at, tenantry.now()), version = version + 1, updated_at = tenantry.now()
     where id = :user_id
    returning id
    """,
)
keep_out = run("""
    insert into tenantry.disablings (user_id, until, why)
    values (:user_id, :until, :why)
        on conflict (user_id) do update
       set at = tenantry.now(), until = excluded.until, why = excluded.why
""")


@action(requires=HOUSE, records=(UserDisabled, SessionEnded))
async def disable_user(work: SystemWork, *, user_id: UUID, why: str, until: datetime | None) -> None:
    """Keep a person out until an instant, or until they are enabled: every device is signed out, their keys refused.

    Saying it again changes the reason and the instant.
    """
    why = why.strip()
    if not 0 < len(why) <= LONGEST_WHY or not why.isprintable():
        raise Invalid(errors=(FieldError("body.why", f"one line of 1 to {LONGEST_WHY} characters"),))
    moment = await queries.moment(work)
    if until is not None and moment is not None and until <= moment:
        raise Invalid(errors=(FieldError("body.until", "is over"),))
    if await set_disabled(work, user_id=user_id) is None:
        raise NotFound("There is no such person.")
    await keep_out(work, user_id=user_id, until=until, why=why)
    await end_every_session(work, user_id=user_id, why="revoked", keep=None)
    work.record(UserDisabled(user_id=user_id, until=until), details=Details({"why": why}, person=user_id))


set_enabled = values(
    UUID,
    """
    update tenantry.users
       set disabled_at = null, version = version + 1, updated_at = tenantry.now()
     where id = any (:user_ids)
       and disabled_at is not null
    returning id
    """,
)
let_in_again = run("delete from tenantry.disablings where user_id = any (:user_ids)")


@action(requires=HOUSE, records=UserEnabled)
async def enable_user(work: SystemWork, *, user_id: UUID) -> bool:
    """Let a person sign in again; says whether they were kept out."""
    return await _enabled(work, [user_id]) == 1


# people before what keeps them out, as above; one whose time was changed meanwhile is looked at again
due = values(
    UUID,
    """
    select user_id
      from tenantry.disablings
      join tenantry.users on users.id = disablings.user_id
     where until <= tenantry.now()
     order by until
     limit :most
       for update of users skip locked
    """,
)
still_due = values(
    UUID, "select user_id from tenantry.disablings where user_id = any (:user_ids) and until <= tenantry.now()"
)


@action(requires=HOUSE, records=UserEnabled)
async def enable_due_users(work: SystemWork, *, most: int) -> int:
    """Let those in again whose time is over; says how many."""
    return await _enabled(work, await still_due(work, user_ids=await due(work, most=most)))


async def _enabled(work: SystemWork, user_ids: Sequence[UUID]) -> int:
    enabled = await set_enabled(work, user_ids=list(user_ids))
    await let_in_again(work, user_ids=list(user_ids))
    for user_id in enabled:
        work.record(UserEnabled(user_id=user_id))
    return len(enabled)
