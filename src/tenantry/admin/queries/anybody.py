"""Reads of anybody's account and of any organization, page by page."""

from __future__ import annotations

from tenantry.accounts.models import Device
from tenantry.accounts.queries import accounts_of_anybody
from tenantry.foundation.data.sql import many
from tenantry.foundation.listing import Listing
from tenantry.orgs.models import AnyOrg
from tenantry.orgs.queries import ANY_ORG

people = Listing("admin.users", {"-created_at": accounts_of_anybody})

orgs_by_age = many(
    AnyOrg,
    ANY_ORG
    + """
     where (:search::text is null or strpos(lower(name), lower(:search)) > 0
            or strpos(lower(slug), lower(:search)) > 0)
       and (orgs.created_at, orgs.id) < (coalesce(:after_key, 'infinity'::timestamptz),
                                         coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by orgs.created_at desc, orgs.id desc
     limit :rows
    """,
    not_null=("members",),
)

orgs = Listing("admin.orgs", {"-created_at": orgs_by_age})

devices_by_use = many(
    Device,
    """
    select id, created_at, rotated_at as last_used_at, expires_at, source, agent
      from tenantry.sessions
     where user_id = :user_id
       and ended_at is null
       and expires_at > tenantry.now()
       and rotated_at > tenantry.now() - :idle::interval
       and (rotated_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by rotated_at desc, id desc
     limit :rows
    """,
)

devices = Listing("admin.sessions", {"-last_used_at": devices_by_use})
