"""How an operator is signed in as such, kept so, and signed out."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts.actions import forget_guesses, refuse_login
from tenantry.accounts.events import LoginRefused
from tenantry.accounts.models import RECENT, Credential
from tenantry.admin import queries
from tenantry.admin.events import OperatorSignedIn, OperatorSignedOut
from tenantry.admin.models.operators import MOST_SESSIONS, NOTED_EVERY, SESSION_IDLE, SESSION_LIFE, Dropped
from tenantry.foundation.action import Refusal, action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import many, maybe, run, value
from tenantry.foundation.operating import OperatorWork, Standing
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.surroundings import OperatorNamed
from tenantry.foundation.work import SystemWork

# the shared lock: a password that is changed at the same moment is seen here, or its change ends this session
begin_session = value(
    UUID,
    """
    with found as (
        select operators.user_id
          from tenantry.operators
          join tenantry.users on users.id = operators.user_id
          join tenantry.credentials on credentials.user_id = operators.user_id
         where operators.user_id = :user_id
           and credentials.password_hash = :password_hash
           and users.disabled_at is null
           and users.closed_at is null
           for share of operators, users, credentials
    )
    insert into tenantry.operator_sessions (id, user_id, source, agent)
    select :id, user_id, :source, :agent from found
    returning id
    """,
)
drop_old = run("""
    delete from tenantry.operator_sessions
     where user_id = :user_id
       and (created_at <= tenantry.now() - :life::interval or last_used_at <= tenantry.now() - :idle::interval
            or id in (select id
                        from tenantry.operator_sessions
                       where user_id = :user_id
                       order by created_at desc, id desc
                      offset :most))
""")


@action(requires=HOUSE, records=(OperatorSignedIn, LoginRefused))
async def sign_operator_in(work: SystemWork, *, credential: Credential) -> UUID | Refusal:
    """Sign in an operator whose password was right; whoever is none is answered as if it had been wrong."""
    user_id = credential.user_id
    begun = await begin_session(
        work, id=new_id(), user_id=user_id, password_hash=credential.password_hash, source=work.call.source,
        agent=work.call.agent,
    )  # fmt: skip
    if begun is None:
        return await refuse_login(work, user_id=user_id)
    await forget_guesses(work, email_key=credential.email_key)
    await drop_old(work, user_id=user_id, life=SESSION_LIFE, idle=SESSION_IDLE, most=MOST_SESSIONS)
    work.record(OperatorSignedIn(user_id=user_id, session_id=begun))
    return begun


# a password that was changed since ends it, as it ends a person's devices
use_session = maybe(
    Standing,
    """
    with used as (
        update tenantry.operator_sessions
           set last_used_at = tenantry.now()
         where id = :session_id
           and user_id = :user_id
           and last_used_at between tenantry.now() - :idle::interval and tenantry.now() - :noted_every::interval
    )
    select role, proved_at > tenantry.now() - :recent::interval as recent
      from tenantry.operator_sessions
      join tenantry.operators on operators.user_id = operator_sessions.user_id
      join tenantry.users on users.id = operators.user_id
      join tenantry.credentials on credentials.user_id = operators.user_id
     where operator_sessions.id = :session_id
       and operator_sessions.user_id = :user_id
       and operator_sessions.created_at > tenantry.now() - :life::interval
       and last_used_at > tenantry.now() - :idle::interval
       and changed_at <= operator_sessions.created_at
       and users.disabled_at is null
       and users.closed_at is null
    """,
    not_null=("recent",),
)


@action(requires=HOUSE)
async def let_operator_in(work: OperatorWork) -> Standing | None:
    """Say with which role the operator who asks is let in, if their session lives; and that it is being used."""
    actor = work.call.actor
    return await use_session(
        work, user_id=actor.person, session_id=actor.session, life=SESSION_LIFE, idle=SESSION_IDLE, recent=RECENT,
        noted_every=NOTED_EVERY,
    )  # fmt: skip


async def operator_who_looks(work: OperatorWork) -> OperatorNamed:
    """Who the operator is, with their role."""
    person = work.call.actor.person
    assert person is not None
    found = await queries.operator(work, user_id=person)
    assert found is not None
    return OperatorNamed(name=found.name, email=found.email, role=found.role)


drop_sessions = many(
    Dropped,
    """
    delete from tenantry.operator_sessions
     where :user_id::uuid is null or user_id = :user_id
 returning id, user_id
    """,
)


@action(requires=HOUSE, records=OperatorSignedOut)
async def sign_operators_out(work: SystemWork, user_id: UUID | None) -> int:
    """End every session of an operator, or of all of them; says of how many."""
    dropped = await drop_sessions(work, user_id=user_id)
    for one in dropped:
        work.record(OperatorSignedOut(user_id=one.user_id, session_id=one.id))
    return len(dropped)


drop_session = value(UUID, "delete from tenantry.operator_sessions where id = :session_id returning user_id")


@action(requires=HOUSE, records=OperatorSignedOut)
async def sign_operator_out(work: OperatorWork) -> None:
    """Sign out the operator who asks, where they ask from; their token is refused from the next request on."""
    session_id = work.call.actor.session
    assert session_id is not None
    if (user_id := await drop_session(work, session_id=session_id)) is not None:
        work.record(OperatorSignedOut(user_id=user_id, session_id=session_id))
