"""How the people of a crowd join, many at once. Not by COPY: PostgreSQL has none for tables with row-level security."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.accounts.events import UserJoined
from tenantry.foundation.action import action
from tenantry.foundation.crowd import OPEN, Company
from tenantry.foundation.data.sql import values
from tenantry.foundation.events.details import Details
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

# of the demo's password, which everybody knows; kept as a hash so that a thousand organizations cost none
HASH_OF_THE_DEMO = "$argon2id$v=19$m=19456,t=2,p=1$YSBrbm93biBkZW1vIHNhbA$LhU8D3t+YChJF6MYXNaOE+39VEOHM1a/tBYx1e6FWuI"
# well-formed, and no password is known that has it
HASH_OF_NOBODY = f"$argon2id$v=19$m=19456,t=2,p=1${'A' * 22}${'A' * 43}"

addresses_known = values(str, "select email_key from tenantry.users where email_key = any (:email_keys)")

keep_people = values(
    UUID,
    """
    with joined as (
        insert into tenantry.users (id, email, email_key, name, created_at, updated_at)
        select id, email, email, name, came_at, came_at
          from unnest(:ids::uuid[], :emails::text[], :names::text[], :came::timestamptz[])
               as one (id, email, name, came_at)
        returning id, created_at
    )
    insert into tenantry.credentials (user_id, password_hash, changed_at)
    select joined.id, password_hash, created_at
      from joined
      join unnest(:ids::uuid[], :hashes::text[]) as one (id, password_hash) on one.id = joined.id
    returning user_id
    """,
)


@action(requires=HOUSE, records=UserJoined)
async def join_crowd(work: SystemWork, *, companies: Sequence[Company]) -> int:
    """Give the people of these organizations accounts, unless they have some; says to how many."""
    wanted = [one.email for company in companies for one in company.staff]
    known = set(await addresses_known(work, email_keys=wanted))
    new = [(company, one) for company in companies if not _is_known(company, known) for one in company.staff]
    people = [one for _, one in new]
    await keep_people(
        work,
        ids=[one.id for one in people],
        emails=[one.email for one in people],
        names=[one.name for one in people],
        came=[one.came_at for one in people],
        hashes=[HASH_OF_THE_DEMO if _is_open(company, one.id) else HASH_OF_NOBODY for company, one in new],
    )
    for one in people:
        details = Details({"email": one.email, "name": one.name}, person=one.id, email_key=one.email)
        work.record(UserJoined(user_id=one.id, registration_id=None), details=details)
    return len(people)


def _is_known(company: Company, known: set[str]) -> bool:
    """Whether it was there before: who has left it since, or is purged, does not come back."""
    return any(one.email in known for one in company.staff)


def _is_open(company: Company, person: UUID) -> bool:
    return company.index < OPEN and person == company.staff[0].id
