"""Consumers of the event log: how far each has read, in which generation of what it keeps, and what it is stuck on."""

from alembic import op

revision, down_revision = "0013", "0012"

CONSUMERS = """
create table tenantry.consumers (
    name          text        not null,
    generation    smallint    not null default 1 constraint generations_count_up check (generation > 0),
    state         text        not null constraint known_state check (state in ('live', 'building', 'retiring')),
    epoch         integer     not null,
    tx            xid8        not null,
    id            bigint      not null,
    began_at      timestamptz not null default tenantry.now(),
    moved_at      timestamptz not null default tenantry.now(),
    paused_at     timestamptz,
    failures      integer     not null default 0,
    next_try_at   timestamptz,
    careful_until text,
    failed_at     text,
    failed_event  uuid,
    error         text,
    skipped       uuid[]      not null default '{}',
    constraint consumers_key primary key (name, generation)
) with (fillfactor = 50);
comment on table tenantry.consumers is 'who reads the event log, and how far; moved in the commit of the effect';
comment on column tenantry.consumers.generation is 'which edition of its rows it keeps; a rebuild makes the next';
comment on column tenantry.consumers.failures is 'in a row, since it last moved';
comment on column tenantry.consumers.careful_until is 'one event at a time up to here: a batch that ended here failed';
comment on column tenantry.consumers.failed_at is 'where the event is that it failed on, alone';
comment on column tenantry.consumers.failed_event is 'the id of that event';
comment on column tenantry.consumers.skipped is 'the events that an operator had it pass over, the last hundred';

-- the swap turns two rows at once
create unique index one_live_generation on tenantry.consumers (name) where state = 'live';
create unique index one_building_generation on tenantry.consumers (name) where state = 'building';

alter table tenantry.consumers enable row level security;
alter table tenantry.consumers force row level security;
-- which generation its rows are read in, and nothing else
create policy what_is_read on tenantry.consumers for select to tenantry_app using (state = 'live');
grant select (name, generation, state) on tenantry.consumers to tenantry_app;
create policy house on tenantry.consumers to tenantry_system using (true);
grant select, insert, update, delete on tenantry.consumers to tenantry_system;

create function tenantry.generation(consumer text) returns smallint
    language sql stable parallel safe as
    $$select generation from tenantry.consumers where name = consumer and state = 'live'$$;
comment on function tenantry.generation(text) is 'which edition of its rows is shown; ask within the statement';
"""

# Whoever holds the horizon back is another session, which only its own login and those who may read all statistics see.
# This runs as the owner: where that is neither, it sees prepared transactions only, and the horizon's lag still tells.
OLDEST = """
create function tenantry.oldest_snapshot() returns double precision
    language sql stable security definer set search_path = '' as $$
    select coalesce(max(extract(epoch from tenantry.tick() - began)), 0)::double precision
      from (select xact_start as began
              from pg_catalog.pg_stat_activity
             where (backend_xid is not null or backend_xmin is not null)
               and backend_type = 'client backend'
               and pid <> pg_backend_pid()
             union all
            select prepared from pg_catalog.pg_prepared_xacts) as open
$$;
comment on function tenantry.oldest_snapshot() is 'for how many seconds the oldest transaction has been open';
revoke all on function tenantry.oldest_snapshot() from public;
grant execute on function tenantry.oldest_snapshot() to tenantry_system;
"""


def upgrade() -> None:
    for part in (CONSUMERS, OLDEST):
        op.execute(part)
