"""How the house ends sessions that it does not trust any more: those of one person, or everybody's in batches."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.accounts.events import SessionEnded
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import many, values
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.question import Question
from tenantry.foundation.work import SystemWork

REVOKED_AT_ONCE = 500
"""Sessions ended in one transaction when everybody is signed out."""


sign_out_elsewhere: Question[[UUID | None], int] = Question(
    "sign_out_elsewhere",
    "End what a person is signed in as besides, such as an operator, or everybody is; says how many sessions.",
    settle=sum,
)


class LiveSession(msgspec.Struct, frozen=True):
    """A session that has not ended, and its person."""

    id: UUID
    user_id: UUID


class Batch(msgspec.Struct, frozen=True):
    """How many sessions were ended, and after which one to go on; None where all were looked at."""

    ended: int
    last: UUID | None


live_sessions_of = values(
    UUID,
    """
    select id
      from tenantry.sessions
     where user_id = :user_id
       and ended_at is null
     order by id
    """,
)

live_sessions = values(
    UUID,
    """
    select id
      from tenantry.sessions
     where id > :after
       and ended_at is null
       and created_at <= :before
     order by id
     limit :most
    """,
)

# locked in the order that everybody locks sessions in, so that nobody waits in a ring
end_sessions = many(
    LiveSession,
    """
    update tenantry.sessions
       set ended_at = tenantry.now(), ended_why = 'revoked'
     where id in (select id
                    from tenantry.sessions
                   where id = any (:ids::uuid[])
                     and ended_at is null
                   order by id
                     for update)
 returning id, user_id
    """,
)


@action(requires=HOUSE, records=SessionEnded)
async def revoke_sessions(work: SystemWork, *, user_id: UUID) -> int:
    """Sign a person out of every device, and of whatever else they are signed in as; says of how many."""
    ended = await _end(work, await live_sessions_of(work, user_id=user_id))
    return ended + await sign_out_elsewhere.ask(work, user_id)


@action(requires=HOUSE, records=SessionEnded)
async def revoke_sessions_of_everybody(work: SystemWork, *, before: datetime, after: UUID) -> Batch:
    """Sign out a batch of everybody's devices that were signed in before an instant."""
    ids = await live_sessions(work, after=after, before=before, most=REVOKED_AT_ONCE)
    return Batch(await _end(work, ids), ids[-1] if ids else None)


async def _end(work: SystemWork, ids: list[UUID]) -> int:
    ended = await end_sessions(work, ids=ids)
    for session in ended:
        work.record(SessionEnded(user_id=session.user_id, session_id=session.id, why="revoked"))
    return len(ended)
