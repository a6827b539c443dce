"""The audit log: a row for each change that matters for security, in its commit, and for each denial after it."""

from alembic import op

revision, down_revision = "0011", "0010"

AUDIT = """
create table tenantry.audit_log (
    at             timestamptz not null default tenantry.now(),
    epoch          integer     not null default tenantry.epoch(),
    tx             xid8        not null default pg_current_xact_id(),
    id             uuid        not null,
    org_id         uuid,
    person_id      uuid,
    action         text        not null,
    outcome        text        not null default 'done' constraint known_outcome check (outcome in ('done', 'denied')),
    times          integer     not null default 1,
    actor_kind     text        not null,
    actor_id       uuid,
    actor_name     text,
    session_id     uuid,
    on_behalf_of   uuid,
    target_kind    text,
    target_id      uuid,
    before         jsonb,
    after          jsonb,
    request_id     text        not null,
    subject_digest bytea,
    actor_digest   bytea,
    merge_key      text,
    constraint audit_log_key primary key (at, id)
) partition by range (at);
comment on table tenantry.audit_log is 'who did what to whom, or was kept from it; appended, never changed';
comment on column tenantry.audit_log.times is 'how often the same was denied, or read, within its minute';
comment on column tenantry.audit_log.merge_key is 'what makes it the same as others of its minute; null for a change';

create table tenantry.audit_log_rest partition of tenantry.audit_log default;
create index audit_of_org on tenantry.audit_log (org_id, at, id) where org_id is not null;
create index audit_of_person on tenantry.audit_log (person_id, at, id) where org_id is null;
create index audit_in_order on tenantry.audit_log (epoch, tx, id);
create unique index one_denial_a_minute on tenantry.audit_log (at, merge_key) where merge_key is not null;

alter table tenantry.audit_log enable row level security;
alter table tenantry.audit_log force row level security;
alter table tenantry.audit_log_rest enable row level security;
alter table tenantry.audit_log_rest force row level security;
create policy own_history on tenantry.audit_log to tenantry_app
    using (case when org_id is null then person_id = (select tenantry.person())
                else org_id = (select tenantry.org()) end)
    with check (case when org_id is null then person_id = (select tenantry.person())
                     else org_id = (select tenantry.org()) end);
create policy house on tenantry.audit_log to tenantry_system using (true);
grant select on tenantry.audit_log to tenantry_app, tenantry_system;
-- when and in which transaction is never the writer's to say, but for what is merged, which only the house writes
grant insert (id, org_id, person_id, action, outcome, actor_kind, actor_id, actor_name, session_id, on_behalf_of,
              target_kind, target_id, before, after, request_id, subject_digest, actor_digest)
   on tenantry.audit_log to tenantry_app, tenantry_system;
grant insert (at, times, merge_key), update (times), delete on tenantry.audit_log to tenantry_system;
-- a minute that is over counts no further: its rows may be sealed
create policy merged_in_its_minute on tenantry.audit_log as restrictive for update to tenantry_system
    using (merge_key is not null and at > tenantry.now() - interval '2 minutes');
"""

# What has been let go says so first: nothing else is ever removed, and who verifies the seals knows why a row is gone.
HORIZONS = """
create table tenantry.audit_horizons (
    whose     uuid        not null constraint audit_horizons_key primary key,
    kept_from timestamptz not null
);
comment on table tenantry.audit_horizons is 'from when on the audit log of each organization is kept';
comment on column tenantry.audit_horizons.whose is 'an organization, also one that is gone; all zeros for rows of none';
comment on column tenantry.audit_horizons.kept_from is 'infinity: it was purged';
alter table tenantry.audit_horizons enable row level security;
alter table tenantry.audit_horizons force row level security;
create policy house on tenantry.audit_horizons to tenantry_system using (true);
create policy over on tenantry.audit_horizons as restrictive for insert to tenantry_system
    with check (kept_from < tenantry.now() or whose in (select id from tenantry.orgs where purge_began_at is not null));
create policy later on tenantry.audit_horizons as restrictive for update to tenantry_system
    using (true)
    with check (kept_from < tenantry.now() or whose in (select id from tenantry.orgs where purge_began_at is not null));
grant select, insert, update (kept_from) on tenantry.audit_horizons to tenantry_system;

create policy let_go_only on tenantry.audit_log as restrictive for delete to tenantry_system
    using (at < (select kept_from
                   from tenantry.audit_horizons
                  where whose = coalesce(org_id, '00000000-0000-0000-0000-000000000000'::uuid)));
"""

SEALS = """
create table tenantry.audit_seals (
    number    bigint      not null constraint audit_seals_key primary key,
    sealed_at timestamptz not null default tenantry.now(),
    epoch     integer     not null,
    tx        xid8        not null,
    id        uuid        not null,
    rows      integer     not null,
    leaves    bytea       not null,
    previous  bytea       not null,
    digest    bytea       not null
);
comment on table tenantry.audit_seals is 'rows of the audit log in the order of their commits, a batch a seal, chained';
comment on column tenantry.audit_seals.id is 'with epoch and tx the place of the last row that is under this seal';
comment on column tenantry.audit_seals.leaves is 'of each row its id, whose it is, when it was, and its digest';
comment on column tenantry.audit_seals.digest is 'of the one before, this one''s number, place and leaves';
alter table tenantry.audit_seals enable row level security;
alter table tenantry.audit_seals force row level security;
create policy house on tenantry.audit_seals to tenantry_system using (true);
grant select, insert (number, epoch, tx, id, rows, leaves, previous, digest) on tenantry.audit_seals to tenantry_system;
"""

EXPORTS = """
create table tenantry.audit_exports (
    org_id     uuid        not null constraint audit_export_of_org references tenantry.orgs on delete cascade,
    id         uuid        not null,
    person_id  uuid        not null,
    format     text        not null constraint known_format check (format in ('csv', 'jsonl')),
    filters    jsonb       not null,
    asked_at   timestamptz not null default tenantry.now(),
    expires_at timestamptz not null,
    used_at    timestamptz,
    constraint audit_exports_key primary key (org_id, id)
);
comment on table tenantry.audit_exports is 'links to the audit log as a file, each for one person and one use';
create index audit_exports_of_person on tenantry.audit_exports (person_id);
create index audit_exports_by_expiry on tenantry.audit_exports (expires_at);
alter table tenantry.audit_exports enable row level security;
alter table tenantry.audit_exports force row level security;
create policy own_in_org on tenantry.audit_exports to tenantry_app
    using (org_id = (select tenantry.org()) and person_id = (select tenantry.person()));
create policy house on tenantry.audit_exports to tenantry_system using (true);
grant select, insert (org_id, id, person_id, format, filters, expires_at), update (used_at) on tenantry.audit_exports
   to tenantry_app;
grant select, delete on tenantry.audit_exports to tenantry_system;
"""

FIRST_MONTHS = """
select tenantry.make_month('audit_log', (date_trunc('month', tenantry.now() at time zone 'UTC')
                                         + ahead * interval '1 month')::date)
  from generate_series(0, 3) as ahead;
"""


def upgrade() -> None:
    for part in (AUDIT, HORIZONS, SEALS, EXPORTS, FIRST_MONTHS):
        op.execute(part)
