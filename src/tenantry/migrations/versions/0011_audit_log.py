"""The audit log: a row for each change that matters for security, in its commit, and for each denial after it."""

from alembic import op

revision, down_revision = "0011", "0010"

AUDIT = """
create table tenantry.audit_log (
    at             timestamptz not null default tenantry.now(),
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
comment on column tenantry.audit_log.times is 'how often the same was denied within its minute';
comment on column tenantry.audit_log.merge_key is 'of a denial: what makes it the same as others of its minute';

create table tenantry.audit_log_rest partition of tenantry.audit_log default;
create index audit_of_org on tenantry.audit_log (org_id, at, id) where org_id is not null;
create index audit_of_person on tenantry.audit_log (person_id, at, id) where org_id is null;
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
-- as in the event log: nothing is removed but what a purged organization leaves
create policy purged_only on tenantry.audit_log as restrictive for delete to tenantry_system
    using (org_id in (select id from tenantry.orgs where purge_began_at is not null));
grant delete on tenantry.audit_log to tenantry_system;
grant insert (id, org_id, person_id, action, actor_kind, actor_id, actor_name, session_id, on_behalf_of, target_kind,
              target_id, before, after, request_id, subject_digest, actor_digest) on tenantry.audit_log
   to tenantry_app, tenantry_system;
"""


def upgrade() -> None:
    op.execute(AUDIT)
