"""How a device is signed in, kept signed in, and signed out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from tenantry.accounts import queries
from tenantry.accounts.actions.devices import device_of, is_known, make_room
from tenantry.accounts.actions.guesses import forget_guesses
from tenantry.accounts.actions.links import forget_resets
from tenantry.accounts.actions.person import lock_person
from tenantry.accounts.actions.registration import take_turn
from tenantry.accounts.events import (
    DeviceAppeared,
    End,
    LoginRefused,
    PasswordRehashed,
    SessionBound,
    SessionEnded,
    SessionRefreshed,
    SessionStarted,
    SessionUsed,
)
from tenantry.accounts.models import (
    SESSION_IDLE,
    SESSION_LIFE,
    Credential,
    Rotated,
    Rotation,
    User,
)
from tenantry.accounts.problems import (
    InvalidCredentials,
    RefreshRefused,
    RefreshReused,
)
from tenantry.foundation.action import Refusal, action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import maybe, run, values
from tenantry.foundation.permission import HOUSE, ONESELF, Role
from tenantry.foundation.question import Question
from tenantry.foundation.refusals import SessionEnded as SessionHasEnded
from tenantry.foundation.security.refresh import RefreshClaim
from tenantry.foundation.security.rotation import Generation, decide
from tenantry.foundation.security.rotation import Rotation as Step
from tenantry.foundation.work import PersonWork, SystemWork


def _first(answers: Sequence[Role | None]) -> Role | None:
    return next((role for role in answers if role is not None), None)


role_of_member: Question[[UUID, UUID], Role | None] = Question(
    "role_of_member", "Which role has this person in this organization, if it is open to them?", settle=_first
)

Scope = Literal["local", "others", "all"]

keep_session = run("""
    insert into tenantry.sessions (id, user_id, expires_at, source, network, agent)
    values (:id, :user_id, tenantry.now() + :life, :source, :network, :agent)
""")

same_credential = maybe(
    User,
    """
    select users.id, email, name, locale, timezone, version, users.created_at, purge_at
      from tenantry.users
      join tenantry.credentials on credentials.user_id = users.id
     where users.id = :user_id
       and credentials.password_hash = :password_hash
       and users.disabled_at is null
       for share of users, credentials
    """,
)


@action(requires=HOUSE, records=(SessionStarted, DeviceAppeared, SessionEnded))
async def start_session(work: SystemWork, *, user_id: UUID) -> Rotation:
    """Sign a person in on the device that is calling, and sign the one used longest ago out if they are too many."""
    session_id = new_id()
    network, agent = device_of(work.call)
    # one login of a person after the other, so that each counts the sessions of those before it
    await take_turn(work, turn=f"sessions of {user_id}")
    known = await is_known(work, user_id=user_id)
    await make_room(work, user_id=user_id)
    await keep_session(
        work, id=session_id, user_id=user_id, life=SESSION_LIFE, source=work.call.source, network=network, agent=agent
    )
    work.record(SessionStarted(user_id=user_id, session_id=session_id))
    if not known:
        work.record(DeviceAppeared(user_id=user_id, session_id=session_id))
    return Rotation(session_id, 0)


replace_hash = run("""
    update tenantry.credentials
       set password_hash = :fresh
     where user_id = :user_id
       and password_hash = :stored
""")


@action(requires=HOUSE, records=PasswordRehashed)
async def let_in(work: SystemWork, *, credential: Credential, fresh: str | None) -> tuple[User, Rotation] | None:
    """Sign in a person whose password was right; None if its hash was replaced or the account disabled meanwhile.

    A closed account is signed in to as well, so that it can be reopened.

    `fresh` is the same password hashed with today's parameters, where the stored hash has older ones.
    """
    user = await _still_right(work, credential, fresh)
    await forget_guesses(work, email_key=credential.email_key)
    if user is None:
        return None
    await forget_resets(work, user_id=user.id)
    return user, await start_session(work, user_id=user.id)


async def _still_right(work: SystemWork, credential: Credential, fresh: str | None) -> User | None:
    user_id, stored = credential.user_id, credential.password_hash
    if fresh is not None:
        # not the shared lock: two who hold it and both want to write would wait for each other
        await lock_person(work, user_id=user_id)
        if not await replace_hash(work, user_id=user_id, stored=stored, fresh=fresh):
            return None
        work.record(PasswordRehashed(user_id=user_id))
    return await same_credential(work, user_id=user_id, password_hash=fresh or stored)


@action(requires=HOUSE, records=LoginRefused)
async def refuse_login(work: SystemWork, *, user_id: UUID | None) -> Refusal:
    """Write down a wrong password or an unknown address; both leave the same trace and take the same time."""
    work.record(LoginRefused(user_id=user_id))
    return Refusal(InvalidCredentials())


rotate = maybe(
    Rotated,
    """
    update tenantry.sessions
       set counter = counter + 1, rotated_at = tenantry.now()
      from tenantry.users
     where sessions.id = :session_id
       and sessions.counter = :counter
       and sessions.ended_at is null
       and sessions.expires_at > tenantry.now()
       and sessions.rotated_at > tenantry.now() - :idle::interval
       and users.id = sessions.user_id
       and users.disabled_at is null
 returning sessions.id as session_id, sessions.counter, sessions.org_id,
           users.id, users.email, users.name, users.locale, users.timezone, users.version, users.created_at,
           users.purge_at
    """,
)


@action(requires=HOUSE, records=(SessionRefreshed, SessionEnded))
async def refresh_session(work: SystemWork, *, claim: RefreshClaim) -> tuple[User, Rotation] | Refusal:
    """Exchange a refresh token for the next one; one that was used before ends its session."""
    rotated = await rotate(work, session_id=claim.session, counter=claim.counter, idle=SESSION_IDLE)
    if rotated is None:
        return await _second_use(work, claim)
    work.record(SessionRefreshed(user_id=rotated.id, session_id=rotated.session_id, counter=rotated.counter))
    return rotated.user, rotated.rotation


async def _second_use(work: SystemWork, claim: RefreshClaim) -> tuple[User, Rotation] | Refusal:
    session = await queries.session_for_update(work, session_id=claim.session)
    if session is None:
        return Refusal(RefreshRefused())
    step = decide(claim.counter, Generation(session.counter, session.rotated_at), now=session.asked_at)
    if step is Step.SAME_SUCCESSOR:
        same = Rotation(session.id, session.counter, session.org_id)
        return await queries.user_by_id(work, user_id=session.user_id), same
    if step is not Step.KILL:
        return Refusal(RefreshRefused())
    await end_session(work, session_id=session.id, user_id=session.user_id, why="reuse")
    return Refusal(RefreshReused())


use_own = run("""
    update tenantry.sessions
       set rotated_at = tenantry.now()
     where id = :session_id
       and user_id = tenantry.person()
       and ended_at is null
""")


@action(requires=ONESELF, records=SessionUsed)
async def use_session(work: PersonWork) -> None:
    """Write down that the browser that asks is still in use."""
    if await use_own(work, session_id=work.session_id):
        work.record(SessionUsed(user_id=work.person, session_id=work.session_id))


bind_own = run("""
    update tenantry.sessions
       set org_id = :org_id
     where id = :session_id
       and user_id = tenantry.person()
       and ended_at is null
""")


@action(requires=ONESELF, records=SessionBound)
async def bind_session(work: PersonWork, *, org_id: UUID | None) -> None:
    """Bind the next access tokens of the device that asks to one organization, or to none."""
    if not await bind_own(work, session_id=work.session_id, org_id=org_id):
        raise SessionHasEnded
    work.record(SessionBound(user_id=work.person, session_id=work.session_id, bound_to=org_id))


end_one = values(
    UUID,
    """
    update tenantry.sessions
       set ended_at = tenantry.now(), ended_why = :why
     where user_id = :user_id
       and id = :session_id
       and ended_at is null
 returning id
    """,
)

lock_sessions = values(
    UUID,
    """
    select id
      from tenantry.sessions
     where user_id = :user_id
       and ended_at is null
       and expires_at > tenantry.now()
     order by id
       for update
    """,
)

end_others = values(
    UUID,
    """
    update tenantry.sessions
       set ended_at = tenantry.now(), ended_why = :why
     where user_id = :user_id
       and id is distinct from :session_id
       and ended_at is null
 returning id
    """,
)


@action(requires=HOUSE, records=SessionEnded)
async def end_session(work: SystemWork | PersonWork, *, session_id: UUID, user_id: UUID, why: End) -> None:
    """Sign a device out; its tokens are refused from the next request on."""
    for ended in await end_one(work, session_id=session_id, user_id=user_id, why=why):
        work.record(SessionEnded(user_id=user_id, session_id=ended, why=why))


@action(requires=HOUSE, records=SessionEnded)
async def log_out(work: SystemWork, *, user_id: UUID, session_id: UUID, scope: Scope) -> None:
    """Sign out this device, the others, or all of them."""
    # in one order for everybody: devices that sign each other out at the same moment must not wait in a ring
    if session_id not in await lock_sessions(work, user_id=user_id):
        raise SessionHasEnded
    if scope == "local":
        await end_session(work, session_id=session_id, user_id=user_id, why="logout")
    else:
        await _end_others(work, user_id=user_id, why="logout", keep=session_id if scope == "others" else None)


@action(requires=HOUSE, records=SessionEnded)
async def end_every_session(work: SystemWork, *, user_id: UUID, why: End, keep: UUID | None) -> None:
    """Sign out all of a person's devices, but for the one that is kept."""
    await lock_sessions(work, user_id=user_id)
    await _end_others(work, user_id=user_id, why=why, keep=keep)


async def _end_others(work: SystemWork, *, user_id: UUID, why: End, keep: UUID | None) -> None:
    for ended in await end_others(work, user_id=user_id, session_id=keep, why=why):
        work.record(SessionEnded(user_id=user_id, session_id=ended, why=why))
