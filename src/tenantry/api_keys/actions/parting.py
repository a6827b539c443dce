"""What becomes of the API keys of a person who is purged, and what a person takes away of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from tenantry.api_keys import queries
from tenantry.api_keys.events import ApiKeyForgotten, ApiKeyPassed
from tenantry.api_keys.models import Ended
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import many, run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork, Work

# before their rows, as with memberships: what is said below is forgotten with an organization that is being purged
hold_orgs = run("""
    select from tenantry.orgs
     where id in (select org_id from tenantry.api_keys where created_by = :user_id)
     order by id
       for no key update
""")

end_personal_keys = many(
    Ended,
    """
    delete from tenantry.api_keys
     where created_by = :user_id
       and kind = 'personal'
 returning org_id, id, version
    """,
)


class Passed(msgspec.Struct, frozen=True):
    """A service key, and the owner that it passed to."""

    org_id: UUID
    id: UUID
    created_by: UUID
    version: int


# they gain nothing by their heir; where no owner is left nothing is: the organization is closed, and what it has goes
# with it
pass_service_keys = many(
    Passed,
    """
    update tenantry.api_keys
       set created_by = heir.user_id, version = api_keys.version + 1,
           at_most = case when 'member' in (maker.role, api_keys.at_most) then 'member' else 'admin' end
      from tenantry.orgs
      left join tenantry.members as maker on maker.org_id = orgs.id and maker.user_id = :user_id
     cross join lateral (
           select members.user_id
             from tenantry.members
             join tenantry.users on users.id = members.user_id
            where members.org_id = orgs.id
              and role = 'owner'
              and user_id <> :user_id
              and users.closed_at is null
            order by joined_at, user_id
            limit 1) as heir
     where api_keys.created_by = :user_id
       and kind = 'service'
       and orgs.id = api_keys.org_id
 returning api_keys.org_id, api_keys.id, api_keys.created_by, api_keys.version
    """,
)


@action(requires=HOUSE, records=(ApiKeyForgotten, ApiKeyPassed))
async def part_with(work: SystemWork, user_id: UUID, _email_key: str) -> None:
    """Let a purged person's own API keys go with them, and the organizations' that they made pass to an owner each."""
    await hold_orgs(work, user_id=user_id)
    for ended in await end_personal_keys(work, user_id=user_id):
        work.record(ApiKeyForgotten(org_id=ended.org_id, key_id=ended.id, why="purged"))
    for one in await pass_service_keys(work, user_id=user_id):
        work.record(
            ApiKeyPassed(org_id=one.org_id, key_id=one.id, created_by=one.created_by, version_after=one.version)
        )


MOST_HELD = 1000
"""API keys of one person in an export, at most."""


async def what_is_held(work: Work, user_id: UUID) -> Mapping[str, Any]:
    """The API keys that a person made, without their secrets, which nobody has."""
    held = await queries.keys_held(work, user_id=user_id, most=MOST_HELD)
    return {"api_keys": [msgspec.to_builtins(one) for one in held]}
