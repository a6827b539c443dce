"""Reads of the audit log: as its organization sees it, as an operator does, and as it is sealed and verified."""

from __future__ import annotations

from uuid import UUID

from tenantry.audit.models import Detail, Entry, Seal, Sealable
from tenantry.foundation.data.sql import many, maybe, value, values
from tenantry.foundation.listing import Listing

# the page first, by an index; then what stands beside its rows
_IN_ORG = """
    select page.id, page.at, page.org_id, action, outcome, times, actor_kind, actor_id,
           coalesce(actor_name, actors.name) as actor_name, on_behalf_of, target_kind, target_id,
           coalesce(invites.email, targets.name, orgs.slug) as target_name, request_id, before::text as before,
           after::text as after, place.named::text as whereabouts, said.named::text as said,
           merge_key is null as is_event
      from (select *
              from tenantry.audit_log
             where org_id = tenantry.org()
               and (:actor::uuid is null or audit_log.actor_id = :actor)
               and (:action::text is null or audit_log.action = :action
                    or starts_with(audit_log.action, :action || ':'))
               and (:target::uuid is null or audit_log.target_id = :target)
               and (:outcome::text is null or audit_log.outcome = :outcome)
               and at >= coalesce(:since, '-infinity'::timestamptz)
               and at < coalesce(:until, 'infinity'::timestamptz)
               and (at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
             order by at desc, id desc
             limit :rows) as page
      left join tenantry.users as actors on actors.id = page.actor_id
      left join tenantry.users as targets on page.target_kind = 'user' and targets.id = page.target_id
      left join tenantry.invites on page.target_kind = 'invite' and invites.org_id = page.org_id
                                and invites.id = page.target_id
      left join tenantry.orgs on page.target_kind = 'org' and orgs.id = page.target_id
      left join tenantry.details as place on place.row_id = page.id and place.about = 'actor'
      left join tenantry.details as said on said.row_id = page.id and said.about = 'subject'
     order by page.at desc, page.id desc
"""
_NOT_NULL = ("id", "at", "action", "outcome", "times", "actor_kind", "request_id", "is_event")

entries_newest_first = many(Entry, _IN_ORG, not_null=_NOT_NULL)

entries = Listing("audit.entries", {"-at": entries_newest_first})

# an operator sees all of it, and narrows it by an organization
entries_of_anybody = many(
    Entry,
    _IN_ORG.replace("where org_id = tenantry.org()", "where (:org::uuid is null or org_id = :org)"),
    not_null=_NOT_NULL,
)

entries_up_to = value(
    int,
    """
    select count(*)
      from (select
              from tenantry.audit_log
             where org_id = tenantry.org()
               and (:actor::uuid is null or actor_id = :actor)
               and (:action::text is null or action = :action or starts_with(action, :action || ':'))
               and (:target::uuid is null or target_id = :target)
               and (:outcome::text is null or outcome = :outcome)
               and at >= coalesce(:since, '-infinity'::timestamptz)
               and at < coalesce(:until, 'infinity'::timestamptz)
             limit :most) as found
    """,
)

last_seal = maybe(
    Seal,
    """
    select number, epoch, tx::text::bigint as tx, id, leaves, previous, digest
      from tenantry.audit_seals
     order by number desc
     limit 1
    """,
    not_null=("tx",),
)

seal_after = maybe(
    Seal,
    """
    select number, epoch, tx::text::bigint as tx, id, leaves, previous, digest
      from tenantry.audit_seals
     where number > :number
     order by number
     limit 1
    """,
    not_null=("tx",),
)

_SEALABLE = """
    select epoch, tx::text::bigint as tx, id, at, org_id, person_id, action, outcome, times, actor_kind, actor_id,
           actor_name, session_id, on_behalf_of, target_kind, target_id, before::text as before, after::text as after,
           request_id, subject_digest, actor_digest, merge_key
      from tenantry.audit_log
     where (epoch, tx, id) > (:epoch::int, (:tx::bigint)::text::xid8, :id::uuid)
"""

# Of what may still be committed before another nothing is sealed, and of what is merged nothing before its minute is
# surely over: whoever merges has begun within it, and is done within seconds.
rows_to_seal = many(
    Sealable,
    f"""
    {_SEALABLE}
       and (epoch < tenantry.epoch()
            or tx < least(pg_snapshot_xmin(pg_current_snapshot()),
                          (select fresh.tx
                             from tenantry.audit_log as fresh
                            where fresh.merge_key is not null
                              and fresh.at > tenantry.now() - interval '3 minutes'
                            order by fresh.tx
                            limit 1)))
     order by audit_log.epoch, audit_log.tx, audit_log.id
     limit :most
    """,  # noqa: S608  (two parts of our own)
    not_null=("tx",),
)

rows_under_seal = many(
    Sealable,
    f"""
    {_SEALABLE}
       and (epoch, tx, id) <= (:last_epoch::int, (:last_tx::bigint)::text::xid8, :last_id::uuid)
     order by audit_log.epoch, audit_log.tx, audit_log.id
     limit :most
    """,
    not_null=("tx",),
)

details_of = many(
    Detail,
    """
    select row_id, about, salt, named::text as named
      from tenantry.details
     where row_id = any (:ids::uuid[])
    """,
    not_null=("named",),
)

not_let_go = values(
    UUID,
    """
    select missing.id
      from unnest(:ids::uuid[], :whose::uuid[], :ats::timestamptz[]) as missing (id, whose, at)
     where not exists (select
                         from tenantry.audit_horizons
                        where audit_horizons.whose = missing.whose
                          and missing.at < kept_from)
    """,
    not_null=("id",),
)

rows_behind = value(
    int,
    """
    select count(*)
      from tenantry.audit_log
     where (epoch, tx, id) > (:epoch::int, (:tx::bigint)::text::xid8, :id::uuid)
    """,
)

# of one that is purged there are rows as well: an operator looked for it, or a denial waited to be written
orgs_after = values(
    UUID,
    """
    select id
      from ((select id from tenantry.orgs where id > :after order by id limit :most)
             union
            (select whose
               from tenantry.audit_horizons
              where kept_from = 'infinity' and whose > :after
              order by whose
              limit :most)) as known
     order by id
     limit :most
    """,
    not_null=("id",),
)
