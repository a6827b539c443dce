"""Reads of API keys; none of them reads a secret."""

from __future__ import annotations

from tenantry.api_keys.models import AnyKey, HeldByPerson, Key, Maker
from tenantry.foundation.data.sql import many, maybe
from tenantry.foundation.listing import Listing

MOST_SHOWN = 1000
"""API keys that an operator is shown at once."""

_STATUS = """case when revoked_at is not null then 'revoked'
                when expires_at <= tenantry.now() then 'expired'
                else 'live' end"""
# the newest secret is the one that has no end of its own
_SHOWN = f"""
    select id, kind, name, scopes, addresses, {_STATUS} as status,
           (select hint
              from tenantry.api_key_secrets as newest
             where newest.org_id = api_keys.org_id and newest.key_id = api_keys.id and newest.ends_at is null) as hint,
           created_by, created_at, expires_at, revoked_at, last_used_at,
           (select max(older.ends_at)
              from tenantry.api_key_secrets as older
             where older.org_id = api_keys.org_id and older.key_id = api_keys.id
               and older.ends_at > tenantry.now()) as old_secret_ends_at,
           version"""  # noqa: S608  (of constants of this module)

keys_newest_first = many(
    Key,
    f"""{_SHOWN}
      from tenantry.api_keys
     where org_id = tenantry.org()
       and (:everybodys or (kind = 'personal' and created_by = tenantry.person()))
       and (:kind::text is null or kind = :kind)
       and (:status::text is null or {_STATUS} = :status)
       and (created_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by created_at desc, id desc
     limit :rows
    """,
    not_null=("status", "hint"),
)

keys = Listing("api_keys.keys", {"-created_at": keys_newest_first})

key_if_any = maybe(
    Key,
    f"""{_SHOWN}
      from tenantry.api_keys
     where org_id = tenantry.org()
       and id = :key_id
       and (:everybodys or (kind = 'personal' and created_by = tenantry.person()))
    """,
    not_null=("status", "hint"),
)

# row security shows members to members: whoever has left has no name here
makers = many(Maker, "select id, name from tenantry.users where id = any (:ids::uuid[])")

keys_of_anybody = many(
    AnyKey,
    f"""{_SHOWN}, org_id
      from tenantry.api_keys
     where (:org_id::uuid is null or org_id = :org_id)
       and (:ended or {_STATUS} = 'live')
     order by created_at desc, id desc
     limit :most
    """,
    not_null=("status", "hint"),
)

keys_held = many(
    HeldByPerson,
    """
    select orgs.name as org, kind, api_keys.name, scopes, addresses, api_keys.created_at, expires_at, revoked_at,
           last_used_at
      from tenantry.api_keys
      join tenantry.orgs on orgs.id = org_id
     where created_by = :user_id
     order by api_keys.created_at, api_keys.id
     limit :most
    """,
)
