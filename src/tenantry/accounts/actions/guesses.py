"""Guesses: passwords that are tried are counted before they are verified, and too many have to wait."""

from __future__ import annotations

from tenantry.accounts.models import GUESS_LIFE, MOST_DELAY, UNDELAYED_GUESSES, Credential, Guess
from tenantry.accounts.problems import TooManyGuesses
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import one, run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

count_guess = one(
    Guess,
    """
    with known as (
        select users.id, users.email_key, credentials.password_hash
          from tenantry.users
          join tenantry.credentials on credentials.user_id = users.id
         where users.email_key = :email_key
           and users.disabled_at is null
    ), familiar as (
        select exists (select
                         from tenantry.sessions
                         join known on known.id = sessions.user_id
                        where sessions.source = :source) as source
    ), place as (
        select sha256(convert_to(:email_key || case when familiar.source then '|' || :source else '' end, 'UTF8'))
               as account
          from familiar
    ), counted as (
        insert into tenantry.guesses as before (account, failed, held_until, last_at)
        select account, 1, to_timestamp(0), tenantry.now() from place
            on conflict (account) do update
           set failed = case when before.last_at < tenantry.now() - :life::interval then 1 else before.failed + 1 end,
               held_until = case
                   -- not now: who began a moment before, and waited here, would find itself held
                   when before.last_at < tenantry.now() - :life::interval or before.failed + 1 < :undelayed
                   then before.held_until
                   else tenantry.now()
                        + least(:most::interval,
                                power(2, least(before.failed + 1 - :undelayed, 20)) * interval '1 second')
               end,
               last_at = tenantry.now()
         where before.held_until <= tenantry.now()
        returning failed
    )
    select known.id as user_id, known.email_key, known.password_hash,
           coalesce(extract(epoch from guesses.held_until - tenantry.now()), 1)::float8 as wait,
           counted.failed is not null as admitted
      from place
      left join known on true
      left join counted on true
      left join tenantry.guesses on guesses.account = place.account
    """,
    not_null=("wait", "admitted"),
)


@action(requires=HOUSE)
async def guess(work: SystemWork, *, email_key: str) -> Credential | None:
    """Count a password that is about to be tried at an address, and give what to try it against, if anybody has it.

    From the fifth on in a row each makes the next one wait, twice as long every time; nobody is shut out for good. A
    source that the person has signed in from has a count of its own, so that strangers do not keep its owner waiting.
    """
    counted = await count_guess(
        work,
        email_key=email_key,
        source=work.call.source,
        life=GUESS_LIFE,
        undelayed=UNDELAYED_GUESSES,
        most=MOST_DELAY,
    )
    if not counted.admitted:
        raise TooManyGuesses(retry_after=max(1, round(counted.wait)))
    return counted.credential


forget = run("""
    delete from tenantry.guesses
     where account in (sha256(convert_to(:email_key, 'UTF8')),
                       sha256(convert_to(:email_key || '|' || :source, 'UTF8')))
""")


@action(requires=HOUSE)
async def forget_guesses(work: SystemWork, *, email_key: str) -> None:
    """Begin anew after a password that was right."""
    await forget(work, email_key=email_key, source=work.call.source)


forget_old = run("""
    delete from tenantry.guesses
     where account in (select account from tenantry.guesses where last_at < tenantry.now() - :life::interval
                        limit :most)
""")


@action(requires=HOUSE)
async def forget_old_guesses(work: SystemWork, *, most: int) -> int:
    """Remove counts that nothing was added to for a day; says how many."""
    return await forget_old(work, life=GUESS_LIFE, most=most)
