"""The ground: schema, roles, clocks and contexts, the event log, the signing keys."""

from alembic import op

revision, down_revision = "0001", None

ROLES = """
do $$
begin
    -- roles belong to the cluster, not to this database: another one may have made them, or be making them now
    begin
        create role tenantry_app nologin noinherit nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
    begin
        create role tenantry_system nologin noinherit nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
end
$$;
grant usage on schema tenantry to tenantry_app, tenantry_system;
"""

CLOCKS = """
create function tenantry.now() returns timestamptz
    language sql stable parallel safe as 'select transaction_timestamp()';
comment on function tenantry.now() is 'the time of this transaction, or the test clock that `migrate` let in';

create function tenantry.tick() returns timestamptz
    language sql volatile parallel safe as 'select clock_timestamp()';
comment on function tenantry.tick() is 'the time of this instant, for leases; no test clock moves it';

create function tenantry.epoch() returns integer
    language sql immutable parallel safe as 'select 1';
comment on function tenantry.epoch() is 'grows when this database is restored or moved; old cursors stay comparable';
"""

CONTEXTS = """
create function tenantry.person() returns uuid
    language sql stable parallel safe as $$select nullif(current_setting('tenantry.person', true), '')::uuid$$;
comment on function tenantry.person() is 'the person this transaction acts for; null where there is none';

create function tenantry.org() returns uuid
    language sql stable parallel safe as $$select nullif(current_setting('tenantry.org', true), '')::uuid$$;
comment on function tenantry.org() is 'the organization this transaction acts in; null outside one';
"""

EVENTS = """
create table tenantry.events (
    at         timestamptz not null default tenantry.now(),
    epoch      integer     not null default tenantry.epoch(),
    tx         xid8        not null default pg_current_xact_id(),
    id         bigint      not null generated always as identity,
    org_id     uuid,
    person_id  uuid,
    kind       text        not null,
    version    smallint    not null,
    payload    jsonb       not null,
    actor      jsonb       not null,
    request_id text        not null,
    constraint events_key primary key (at, id)
) partition by range (at);
comment on table tenantry.events is 'what happened, appended in the commit that made it happen';

create table tenantry.events_rest partition of tenantry.events default;
create index events_in_order on tenantry.events (epoch, tx, id);
create index events_of_person on tenantry.events (person_id, at) where org_id is null;
create index events_of_org on tenantry.events (org_id, at) where org_id is not null;

alter table tenantry.events enable row level security;
alter table tenantry.events force row level security;
alter table tenantry.events_rest enable row level security;
alter table tenantry.events_rest force row level security;
create policy own_history on tenantry.events to tenantry_app
    using (case when org_id is null then person_id = (select tenantry.person())
                else org_id = (select tenantry.org()) end)
    with check (case when org_id is null then person_id = (select tenantry.person())
                     else org_id = (select tenantry.org()) end);
create policy house on tenantry.events to tenantry_system using (true);
grant select on tenantry.events to tenantry_app, tenantry_system;
-- when, in which transaction and in which order something happened is never the writer's to say
grant insert (org_id, person_id, kind, version, payload, actor, request_id) on tenantry.events
   to tenantry_app, tenantry_system;
"""

SIGNING_KEYS = """
create table tenantry.signing_keys (
    kid            text        not null constraint signing_keys_key primary key,
    state          text        not null constraint known_state
                               check (state in ('next', 'active', 'retiring', 'retired')),
    public_key     bytea       not null,
    sealed_private bytea       not null,
    created_at     timestamptz not null default tenantry.now(),
    changed_at     timestamptz not null default tenantry.now()
);
comment on table tenantry.signing_keys is 'what signs access tokens; the private halves are sealed';
create unique index one_active_signing_key on tenantry.signing_keys (state) where state = 'active';

alter table tenantry.signing_keys enable row level security;
alter table tenantry.signing_keys force row level security;
create policy house on tenantry.signing_keys to tenantry_system using (true);
grant select, insert, update on tenantry.signing_keys to tenantry_system;
"""


def upgrade() -> None:
    for part in (ROLES, CLOCKS, CONTEXTS, EVENTS, SIGNING_KEYS):
        op.execute(part)
