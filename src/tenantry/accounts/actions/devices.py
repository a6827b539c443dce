"""Devices: how one is known again, how many stay signed in, how one is signed out from afar, what is removed."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts.events import SessionEnded
from tenantry.accounts.models import DEVICE_KNOWN, MOST_SESSIONS, SESSION_IDLE, SESSION_KEPT, network_of
from tenantry.foundation.action import action
from tenantry.foundation.call import Call
from tenantry.foundation.data.sql import run, value, values
from tenantry.foundation.permission import HOUSE, ONESELF
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import PersonWork, SystemWork

LONGEST_AGENT = 300
"""Characters of a User-Agent that are kept."""
REMOVED_AT_ONCE = 500
"""Ended sessions removed by one statement."""

# of one network and agent as of an account so young that its first session must still be here: both need no mail
device_is_known = value(
    bool,
    """
    select exists (select
                     from tenantry.sessions
                    where user_id = users.id
                      and network = :network
                      and agent = :agent
                      and rotated_at > tenantry.now() - :known::interval)
        or (users.created_at > tenantry.now() - :kept::interval
            and not exists (select from tenantry.sessions where user_id = users.id))
      from tenantry.users
     where id = :user_id
    """,
)


async def is_known(work: SystemWork, *, user_id: UUID) -> bool:
    """Whether the calling device is one that its person was seen on, or the first one of a new account.

    A device is an agent in a network: another agent is another device, an address that changes in its network is not.
    """
    network, agent = device_of(work.call)
    known = await device_is_known(
        work, user_id=user_id, network=network, agent=agent, known=DEVICE_KNOWN, kept=SESSION_KEPT
    )
    return bool(known)


def device_of(call: Call) -> tuple[str, str]:
    """The network and the agent by which the calling device is known again."""
    return network_of(call.source), call.agent[:LONGEST_AGENT]


# in one order for everybody: whoever signs out several devices must not wait in a ring with a login that does
end_surplus = values(
    UUID,
    """
    with surplus as (
        select id
          from tenantry.sessions
         where user_id = :user_id
           and ended_at is null
           and expires_at > tenantry.now()
           and rotated_at > tenantry.now() - :idle::interval
         order by rotated_at desc, id desc
        offset :others
    ), held as (
        select id
          from tenantry.sessions
         where id in (select id from surplus)
         order by id
           for update
    )
    update tenantry.sessions
       set ended_at = tenantry.now(), ended_why = 'too_many'
     where id in (select id from held)
       and ended_at is null
 returning id
    """,
)


async def make_room(work: SystemWork, *, user_id: UUID) -> None:
    """End the sessions used longest ago, so that with the one about to start there are not too many."""
    for ended in await end_surplus(work, user_id=user_id, idle=SESSION_IDLE, others=MOST_SESSIONS - 1):
        work.record(SessionEnded(user_id=user_id, session_id=ended, why="too_many"))


end_own = value(
    UUID,
    """
    update tenantry.sessions
       set ended_at = tenantry.now(), ended_why = 'revoked'
     where user_id = tenantry.person()
       and id = :session_id
       and ended_at is null
       and expires_at > tenantry.now()
 returning id
    """,
)


@action(requires=ONESELF, records=SessionEnded)
async def end_device(work: PersonWork, *, session_id: UUID) -> None:
    """Sign out one of one's own devices; its tokens are refused from the next request on."""
    if await end_own(work, session_id=session_id) is None:
        raise NotFound
    work.record(SessionEnded(user_id=work.person, session_id=session_id, why="revoked"))


end_revoked = value(
    UUID,
    """
    update tenantry.sessions
       set ended_at = tenantry.now(), ended_why = 'revoked'
     where id = :session_id
       and ended_at is null
       and expires_at > tenantry.now()
 returning user_id
    """,
)


@action(requires=HOUSE, records=SessionEnded)
async def revoke_session(work: SystemWork, *, session_id: UUID) -> None:
    """End the session of a genuine token that somebody gives back; one that has ended stays as it is."""
    user_id = await end_revoked(work, session_id=session_id)
    if user_id is not None:
        work.record(SessionEnded(user_id=user_id, session_id=session_id, why="revoked"))


remove_ended = run("""
    delete from tenantry.sessions
     where id in (select id
                    from tenantry.sessions
                   where least(ended_at, expires_at) < tenantry.now() - :kept::interval
                   order by least(ended_at, expires_at)
                   limit :most
                     for update skip locked)
""")


@action(requires=HOUSE)
async def remove_ended_sessions(work: SystemWork) -> bool:
    """Remove some of the sessions that ended long ago; whether there may be more of them."""
    return await remove_ended(work, kept=SESSION_KEPT, most=REMOVED_AT_ONCE) == REMOVED_AT_ONCE
