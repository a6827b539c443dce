"""How a person joins: asking, proving the address, and what is removed when nobody does."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tenantry.accounts import queries
from tenantry.accounts.events import (
    RegistrationAsked,
    UserJoined,
    VerificationAskedAgain,
)
from tenantry.accounts.models import (
    MAILS_AN_HOUR,
    REGISTRATION_LIFE,
    Registration,
    User,
)
from tenantry.accounts.problems import (
    LinkInvalid,
)
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import one, run, value, values
from tenantry.foundation.events.details import Details
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.security.limits import Limit
from tenantry.foundation.security.turns import spend_turn
from tenantry.foundation.work import SystemWork

RESENDS = Limit("resend", 3, timedelta(hours=1), by="address")
"""Mails asked for again for one address; those that are too many are answered as ever and not sent."""
REMOVED_AT_ONCE = 100
"""Registrations removed with the one that was redeemed, at most."""

keep_registration = run("""
    insert into tenantry.registrations (id, email, email_key, name, password_hash, expires_at)
    values (:id, :email, :email_key, :name, :password_hash, tenantry.now() + :life)
""")


@action(requires=HOUSE, records=RegistrationAsked)
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


@action(requires=HOUSE, records=VerificationAskedAgain)
async def ask_verification_again(work: SystemWork, *, address: MailAddress) -> None:
    """Ask for the verification mail once more; nothing tells whether there was anything to send, or too much."""
    if not await spend_turn(work, RESENDS, address.key):
        return
    pending = await queries.newest_registration_of_address(work, email_key=address.key)
    # an unknown address leaves an event as well, so that both take the same time
    work.record(VerificationAskedAgain(registration_id=pending.id if pending else new_id()))


take_turn = value(bool, "select pg_advisory_xact_lock(hashtextextended(:turn, 0)) is not null")

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
    await take_turn(work, turn=f"mails to {email_key}")
    return bool(await count_mail(work, id=job, email_key=email_key, most=MAILS_AN_HOUR))


take_registrations = values(
    UUID,
    """
    delete from tenantry.registrations
     where id in (select id
                    from tenantry.registrations
                   where email_key = :email_key
                   order by id = :chosen desc
                   limit :most)
 returning id
    """,
)

keep_user = one(
    User,
    """
    with joined as (
        insert into tenantry.users (id, email, email_key, name)
        values (:id, :email, :email_key, :name)
        returning id, email, name, locale, timezone, version, created_at, purge_at
    ), proven as (
        insert into tenantry.credentials (user_id, password_hash)
        select id, :password_hash from joined
    )
    select id, email, name, locale, timezone, version, created_at, purge_at from joined
    """,
    not_null=User.__struct_fields__,
)


def joined_as(user: User, email_key: str) -> Details:
    """As whom a person joined; by the address, which was theirs from then on, their purge finds what was said of it."""
    return Details({"email": user.email, "name": user.name}, person=user.id, email_key=email_key)


@action(requires=HOUSE, records=UserJoined)
async def join(work: SystemWork, *, registration: Registration) -> User:
    """Turn a registration whose address is proven into an account; the address's other registrations are removed.

    A flooded address keeps some of the others; none can be redeemed any more, and they expire.
    """
    await take_turn(work, turn=f"join as {registration.email_key}")
    taken = await take_registrations(
        work, email_key=registration.email_key, chosen=registration.id, most=REMOVED_AT_ONCE
    )
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
    details = joined_as(user, registration.email_key)
    work.record(UserJoined(user_id=user.id, registration_id=registration.id), details=details)
    return user


@action(requires=HOUSE, records=UserJoined)
async def add_person(work: SystemWork, *, address: MailAddress, name: str, password_hash: str) -> User:
    """Give a person an account without a mail: an operator vouches for the address."""
    user = await keep_user(
        work, id=new_id(), email=address.typed, email_key=address.key, name=name, password_hash=password_hash
    )
    work.record(UserJoined(user_id=user.id, registration_id=None), details=joined_as(user, address.key))
    return user


remove_expired = run("delete from tenantry.registrations where expires_at < tenantry.now()")
forget_mails = run("delete from tenantry.registration_mails where sent_at < tenantry.now() - interval '1 day'")


@action(requires=HOUSE)
async def remove_expired_registrations(work: SystemWork) -> int:
    """Remove registrations whose address was not proven in time; says how many."""
    await forget_mails(work)
    return await remove_expired(work)
