"""Reads of flags: where they stand, all of them for a snapshot, and which have outlived their use."""

from __future__ import annotations

from tenantry.flags.models import Mark, Override, StoredFlag, Worn
from tenantry.foundation.data.sql import many, maybe, one, value, values

mark = one(Mark, "select version, changed_at from tenantry.flags_version")

every_flag = many(
    StoredFlag,
    """
    select key, kind, variants, default_variant, off_variant, rules, salt, killed, visible, description, team,
           expires_at, same_since, version, created_at, updated_at
      from tenantry.flags
     order by key
    """,
)

flag = maybe(
    StoredFlag,
    """
    select key, kind, variants, default_variant, off_variant, rules, salt, killed, visible, description, team,
           expires_at, same_since, version, created_at, updated_at
      from tenantry.flags
     where key = :key
    """,
)

every_override = many(Override, "select org_id, flag_key, variant, reason from tenantry.flag_overrides")

overrides_of = many(
    Override,
    """
    select org_id, flag_key, variant, reason
      from tenantry.flag_overrides
     where flag_key = :key
     order by org_id
     limit :most
    """,
)

override = maybe(
    Override,
    """
    select org_id, flag_key, variant, reason
      from tenantry.flag_overrides
     where org_id = :org_id
       and flag_key = :key
    """,
)

overridden_variants = values(str, "select distinct variant from tenantry.flag_overrides where flag_key = :key")

how_many = value(int, "select count(*) from tenantry.flags")

# what an organization has of its own that is not what all others have keeps a flag in use
worn = many(
    Worn,
    """
    select *
      from (select key, team,
                   coalesce(expires_at <= tenantry.now(), false) as expired,
                   coalesce(same_since <= tenantry.now() - :idle::interval, false)
                   and not exists (select from tenantry.flag_overrides where flag_overrides.flag_key = key)
                       as always_the_same,
                   coalesce(evaluated_at, created_at) <= tenantry.now() - :idle::interval as not_asked_for,
                   coalesce(evaluations, 0) as evaluations, evaluated_at, expires_at, same_since
              from tenantry.flags
              left join tenantry.flag_evaluations on flag_evaluations.flag_key = key) as judged
     where expired or always_the_same or not_asked_for
     order by key
    """,
    not_null=("expired", "always_the_same", "not_asked_for", "evaluations"),
)
