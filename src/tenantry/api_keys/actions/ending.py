"""How API keys end by the house's hand: their person left, an operator or a finder of a leak says so, time is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.api_keys.events import ApiKeyForgotten, ApiKeyRevoked
from tenantry.api_keys.models import KEYS_KEPT, Ended, WhyRevoked
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import many, maybe
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

# not those of somebody who came back since and made new ones
revoke_of_person = many(
    Ended,
    """
    update tenantry.api_keys
       set revoked_at = tenantry.now(), version = version + 1
     where (org_id, id) in (
           select keys.org_id, keys.id
             from tenantry.api_keys as keys
             left join tenantry.members on members.org_id = keys.org_id and members.user_id = keys.created_by
            where keys.org_id = :org_id
              and keys.created_by = :user_id
              and keys.kind = 'personal'
              and keys.revoked_at is null
              and coalesce(keys.created_at < members.joined_at, true)
            order by keys.id
              for no key update of keys)
 returning org_id, id, version
    """,
)


@action(requires=HOUSE, records=ApiKeyRevoked)
async def revoke_keys_of(work: SystemWork, *, org_id: UUID, user_id: UUID) -> None:
    """Revoke the personal API keys of somebody who is no member any more; they opened nothing since."""
    _revoked(work, await revoke_of_person(work, org_id=org_id, user_id=user_id), "left")


def _revoked(work: SystemWork, ended: Sequence[Ended], why: WhyRevoked) -> None:
    for one in ended:
        work.record(ApiKeyRevoked(org_id=one.org_id, key_id=one.id, why=why, version_after=one.version))


revoke_one = many(
    Ended,
    """
    update tenantry.api_keys
       set revoked_at = tenantry.now(), version = version + 1
     where id = :key_id
       and revoked_at is null
 returning org_id, id, version
    """,
)


@action(requires=HOUSE, records=ApiKeyRevoked)
async def revoke_any_key(work: SystemWork, *, key_id: UUID) -> bool:
    """Revoke an API key of whichever organization; whether there is one that was not revoked."""
    ended = await revoke_one(work, key_id=key_id)
    _revoked(work, ended, "operator")
    return bool(ended)


class Found(msgspec.Struct, frozen=True):
    """The API key that a secret is of; whether it opens something no more, and since when the secret itself."""

    org_id: UUID
    id: UUID
    ended: bool
    secret_ended_at: datetime | None


key_of_secret = maybe(
    Found,
    """
    select api_keys.org_id, id, revoked_at is not null or coalesce(expires_at <= tenantry.now(), false) as ended,
           case when ends_at <= tenantry.now() then ends_at end as secret_ended_at
      from tenantry.api_key_secrets as secrets
      join tenantry.api_keys on api_keys.org_id = secrets.org_id and api_keys.id = secrets.key_id
     where secrets.digest = :digest
       for no key update of api_keys
    """,
    not_null=("ended",),
)


@action(requires=HOUSE, records=ApiKeyRevoked)
async def revoke_leaked_key(work: SystemWork, *, digest: bytes) -> Found | None:
    """Revoke the API key that a leaked secret still opens; what it is of, if it ever was one of ours."""
    found = await key_of_secret(work, digest=digest)
    if found is not None and not found.ended and found.secret_ended_at is None:
        _revoked(work, await revoke_one(work, key_id=found.id), "leaked")
    return found


# one that somebody holds at this moment is left for the next time
forget_ended = many(
    Ended,
    """
    delete from tenantry.api_keys
     where (org_id, id) in (
           select org_id, id
             from tenantry.api_keys
            where least(expires_at, revoked_at) < tenantry.now() - :kept::interval
            limit :most
              for update skip locked)
 returning org_id, id, version
    """,
)


@action(requires=HOUSE, records=ApiKeyForgotten)
async def forget_ended_keys(work: SystemWork, *, most: int) -> int:
    """Remove API keys that ended long ago; how many."""
    gone = await forget_ended(work, kept=KEYS_KEPT, most=most)
    for one in gone:
        work.record(ApiKeyForgotten(org_id=one.org_id, key_id=one.id, why="old"))
    return len(gone)
