"""What can be done to an account, each verb inside one transaction."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.accounts import queries
from tenantry.accounts.events import (
    End,
    LoginRefused,
    PasswordRehashed,
    ProfileChanged,
    RegistrationAsked,
    SessionEnded,
    SessionRefreshed,
    SessionStarted,
    UserJoined,
    VerificationAskedAgain,
)
from tenantry.accounts.models import (
    MAILS_AN_HOUR,
    REGISTRATION_LIFE,
    SESSION_IDLE,
    SESSION_LIFE,
    Credential,
    Registration,
    Rotated,
    Rotation,
    User,
)
from tenantry.accounts.problems import (
    InvalidCredentials,
    LinkInvalid,
    RefreshRefused,
    RefreshReused,
    VersionMismatch,
)
from tenantry.foundation.action import Refusal, action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import maybe, one, run, value, values
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import ANYONE, HOUSE, ONESELF
from tenantry.foundation.refusals import SessionEnded as SessionHasEnded
from tenantry.foundation.security.refresh import RefreshClaim
from tenantry.foundation.security.rotation import Generation, decide
from tenantry.foundation.security.rotation import Rotation as Step
from tenantry.foundation.work import PersonWork, SystemWork

Scope = Literal["local", "others", "all"]

keep_registration = run("""
    insert into tenantry.registrations (id, email, email_key, name, password_hash, expires_at)
    values (:id, :email, :email_key, :name, :password_hash, tenantry.now() + :life)
""")


@action(requires=ANYONE, records=RegistrationAsked)
async def ask_to_join(work: SystemWork, *, address: MailAddress, name: str, password_hash: str) -> UUID:
    """Ask to join with an address; what happens is the same whether or not the address is known."""
    registration_id = new_id()
    await keep_registration(
        work,
        id=registration_id,
        email=address.typed,
        email_key=address.key,
        name=name,
        password_hash=password_hash,
        life=REGISTRATION_LIFE,
    )
    work.record(RegistrationAsked(registration_id=registration_id))
    return registration_id


@action(requires=ANYONE, records=VerificationAskedAgain)
async def ask_verification_again(work: SystemWork, *, address: MailAddress) -> None:
    """Ask for the verification mail once more; nothing tells whether there was anything to send."""
    pending = await queries.newest_registration_of_address(work, email_key=address.key)
    # an unknown address leaves an event as well, so that both take the same time
    work.record(VerificationAskedAgain(registration_id=pending.id if pending else new_id()))


take_turn = value(bool, "select pg_advisory_xact_lock(hashtextextended('mails to ' || :email_key, 0)) is not null")

count_mail = value(
    bool,
    """
    with sent  as (select count(*) as mails
                     from tenantry.registration_mails
                    where email_key = :email_key
                      and sent_at > tenantry.now() - interval '1 hour'),
         kept  as (insert into tenantry.registration_mails (id, email_key)
                   select :id, :email_key from sent where mails < :most
                       on conflict (id) do nothing
                returning id)
    select exists (select from kept) or exists (select from tenantry.registration_mails where id = :id)
    """,
)


@action(requires=HOUSE)
async def may_mail(work: SystemWork, *, job: UUID, email_key: str) -> bool:
    """Count a mail to an address; no more than three an hour, and a retry of the same job counts once."""
    # a statement of its own: one that waited for its turn must not count by the snapshot from before
    await take_turn(work, email_key=email_key)
    return bool(await count_mail(work, id=job, email_key=email_key, most=MAILS_AN_HOUR))


take_registrations = values(
    UUID,
    """
    delete from tenantry.registrations
     where email_key = :email_key
 returning id
    """,
)

keep_user = one(
    User,
    """
    with joined as (
        insert into tenantry.users (id, email, email_key, name)
        values (:id, :email, :email_key, :name)
        returning id, email, name, locale, timezone, version, created_at
    ), proven as (
        insert into tenantry.credentials (user_id, password_hash)
        select id, :password_hash from joined
    )
    select id, email, name, locale, timezone, version, created_at from joined
    """,
    not_null=User.__struct_fields__,
)


@action(requires=ANYONE, records=UserJoined)
async def join(work: SystemWork, *, registration: Registration) -> User:
    """Turn a registration whose address is proven into an account; the address's other registrations are removed."""
    taken = await take_registrations(work, email_key=registration.email_key)
    if registration.id not in taken:
        raise LinkInvalid
    user = await keep_user(
        work,
        id=new_id(),
        email=registration.email,
        email_key=registration.email_key,
        name=registration.name,
        password_hash=registration.password_hash,
    )
    work.record(UserJoined(user_id=user.id, registration_id=registration.id))
    return user


@action(requires=HOUSE, records=UserJoined)
async def add_person(work: SystemWork, *, address: MailAddress, name: str, password_hash: str) -> User:
    """Give a person an account without a mail: an operator vouches for the address."""
    user = await keep_user(
        work, id=new_id(), email=address.typed, email_key=address.key, name=name, password_hash=password_hash
    )
    work.record(UserJoined(user_id=user.id, registration_id=None))
    return user


keep_session = run("""
    insert into tenantry.sessions (id, user_id, expires_at, source, agent)
    values (:id, :user_id, tenantry.now() + :life, :source, :agent)
""")

same_credential = maybe(
    User,
    """
    select users.id, email, name, locale, timezone, version, users.created_at
      from tenantry.users
      join tenantry.credentials on credentials.user_id = users.id
     where users.id = :user_id
       and credentials.password_hash = :password_hash
       and users.disabled_at is null
       and users.closed_at is null
       for share of users, credentials
    """,
)


@action(requires=ANYONE, records=SessionStarted)
async def start_session(work: SystemWork, *, user_id: UUID) -> Rotation:
    """Sign a person in on the device that is calling."""
    session_id = new_id()
    call = work.call
    await keep_session(
        work, id=session_id, user_id=user_id, life=SESSION_LIFE, source=call.source, agent=call.agent[:300]
    )
    work.record(SessionStarted(user_id=user_id, session_id=session_id))
    return Rotation(session_id, 0)


replace_hash = run("""
    update tenantry.credentials
       set password_hash = :fresh
     where user_id = :user_id
       and password_hash = :stored
""")


@action(requires=ANYONE, records=PasswordRehashed)
async def let_in(work: SystemWork, *, credential: Credential, fresh: str | None) -> tuple[User, Rotation] | None:
    """Sign in a person whose password was right; None if its hash was replaced or the account closed meanwhile.

    `fresh` is the same password hashed with today's parameters, where the stored hash has older ones.
    """
    user_id, stored = credential.user_id, credential.password_hash
    if fresh is not None:
        # before the shared lock: two who hold it and both want to write would wait for each other
        if not await replace_hash(work, user_id=user_id, stored=stored, fresh=fresh):
            return None
        work.record(PasswordRehashed(user_id=user_id))
    user = await same_credential(work, user_id=user_id, password_hash=fresh or stored)
    return None if user is None else (user, await start_session(work, user_id=user_id))


@action(requires=ANYONE, records=LoginRefused)
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
       and users.closed_at is null
 returning sessions.id as session_id, sessions.counter,
           users.id, users.email, users.name, users.locale, users.timezone, users.version, users.created_at
    """,
)


@action(requires=ANYONE, records=(SessionRefreshed, SessionEnded))
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
        return await queries.user_by_id(work, user_id=session.user_id), Rotation(session.id, session.counter)
    if step is not Step.KILL:
        return Refusal(RefreshRefused())
    await end_session(work, session_id=session.id, user_id=session.user_id, why="reuse")
    return Refusal(RefreshReused())


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

end_others = values(
    UUID,
    """
    update tenantry.sessions
       set ended_at = tenantry.now(), ended_why = :why
     where user_id = :user_id
       and id <> :session_id
       and ended_at is null
 returning id
    """,
)


@action(requires=ANYONE, records=SessionEnded)
async def end_session(work: SystemWork | PersonWork, *, session_id: UUID, user_id: UUID, why: End) -> None:
    """Sign a device out; its tokens are refused from the next request on."""
    for ended in await end_one(work, session_id=session_id, user_id=user_id, why=why):
        work.record(SessionEnded(user_id=user_id, session_id=ended, why=why))


@action(requires=ANYONE, records=SessionEnded)
async def log_out(work: SystemWork, *, user_id: UUID, session_id: UUID, scope: Scope) -> None:
    """Sign out this device, the others, or all of them."""
    if await queries.live_session(work, session_id=session_id, user_id=user_id) is None:
        raise SessionHasEnded
    if scope != "others":
        await end_session(work, session_id=session_id, user_id=user_id, why="logout")
    if scope != "local":
        for ended in await end_others(work, session_id=session_id, user_id=user_id, why="logout"):
            work.record(SessionEnded(user_id=user_id, session_id=ended, why="logout"))


change_user = maybe(
    User,
    """
    update tenantry.users
       set name = coalesce(:name, name),
           locale = coalesce(:locale, locale),
           timezone = coalesce(:timezone, timezone),
           version = version + 1,
           updated_at = tenantry.now()
     where id = tenantry.person()
       and version = coalesce(:version, version)
 returning id, email, name, locale, timezone, version, created_at
    """,
)


@action(requires=ONESELF, records=ProfileChanged)
async def change_profile(
    work: PersonWork,
    *,
    name: str | None = None,
    locale: str | None = None,
    timezone: str | None = None,
    version: int | None = None,
) -> User:
    """Change one's name, language or time zone; with a version, only if nobody changed it since."""
    user = await change_user(work, name=name, locale=locale, timezone=timezone, version=version)
    if user is None:
        raise VersionMismatch
    given = {"name": name, "locale": locale, "timezone": timezone}
    fields = tuple(field for field, content in given.items() if content is not None)
    work.record(ProfileChanged(user_id=user.id, fields=fields, version_after=user.version))
    return user


remove_expired = run("delete from tenantry.registrations where expires_at < tenantry.now()")
forget_mails = run("delete from tenantry.registration_mails where sent_at < tenantry.now() - interval '1 day'")


@action(requires=HOUSE)
async def remove_expired_registrations(work: SystemWork) -> int:
    """Remove registrations whose address was not proven in time; says how many."""
    await forget_mails(work)
    return await remove_expired(work)
