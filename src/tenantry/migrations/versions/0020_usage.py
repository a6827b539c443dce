"""Usage: what was metered, and its sums by minute, hour and billing period."""

from alembic import op

revision, down_revision = "0020", "0019"

EVENTS = """
create table tenantry.usage_events (
    org_id      uuid        not null,
    at          timestamptz not null default tenantry.now(),
    epoch       integer     not null default tenantry.epoch(),
    tx          xid8        not null default pg_current_xact_id(),
    id          bigint      not null generated always as identity,
    meter       text        not null,
    quantity    bigint      not null constraint usage_is_counted check (quantity between 0 and 1000000000000),
    key         text        constraint usage_keys_are_short check (char_length(key) <= 255),
    request_id  text        not null,
    recorded_at timestamptz not null default tenantry.now(),
    constraint usage_events_key primary key (org_id, epoch, tx, id, at)
) partition by range (at);
comment on table tenantry.usage_events is 'what organizations used, appended in the commit that used it; never changed';
comment on column tenantry.usage_events.at is 'the moment that it counts for, which may be before it was recorded';
comment on column tenantry.usage_events.key is 'what makes it the same as another one: of two, one is counted';

create table tenantry.usage_events_rest partition of tenantry.usage_events default;
create index usage_in_order on tenantry.usage_events (epoch, tx, id);

alter table tenantry.usage_events enable row level security;
alter table tenantry.usage_events force row level security;
alter table tenantry.usage_events_rest enable row level security;
alter table tenantry.usage_events_rest force row level security;
create policy own_org on tenantry.usage_events to tenantry_app
    using (org_id = (select tenantry.org())) with check (org_id = (select tenantry.org()));
create policy house on tenantry.usage_events to tenantry_system using (true);
-- in which transaction, in which order and when it was recorded is never the writer's to say
grant select, insert (org_id, at, meter, quantity, key, request_id) on tenantry.usage_events to tenantry_app;
grant select, insert (org_id, at, meter, quantity, key, request_id), delete on tenantry.usage_events to tenantry_system;
"""

# beside the events, which are cut by time: no unique index could span their months
KEYS = """
create table tenantry.usage_keys (
    org_id uuid        not null,
    digest bytea       not null,
    at     timestamptz not null default tenantry.now(),
    constraint usage_keys_key primary key (org_id, digest)
);
comment on table tenantry.usage_keys is 'which keys of usage were seen, each with its meter, until nobody repeats them';
comment on column tenantry.usage_keys.digest is 'of the meter and the key';
create index usage_keys_by_age on tenantry.usage_keys using brin (at);
alter table tenantry.usage_keys enable row level security;
alter table tenantry.usage_keys force row level security;
create policy own_org on tenantry.usage_keys to tenantry_app
    using (org_id = (select tenantry.org())) with check (org_id = (select tenantry.org()));
create policy house on tenantry.usage_keys to tenantry_system using (true);
grant select, insert (org_id, digest), update (at) on tenantry.usage_keys to tenantry_app;
grant select, insert (org_id, digest), update (at), delete on tenantry.usage_keys to tenantry_system;
"""

# its row comes before its wall, which would keep the owner out too
CURSOR = """
create table tenantry.usage_cursor (
    singular boolean not null default true constraint usage_cursor_key primary key
                     constraint one_usage_cursor check (singular),
    epoch    integer not null,
    tx       xid8    not null,
    id       bigint  not null
);
comment on table tenantry.usage_cursor is 'the last event of usage that is in the sums; those behind it are not yet';
insert into tenantry.usage_cursor (epoch, tx, id) values (0, '0', 0);
alter table tenantry.usage_cursor enable row level security;
alter table tenantry.usage_cursor force row level security;
create policy everybody on tenantry.usage_cursor for select to tenantry_app using (true);
create policy house on tenantry.usage_cursor to tenantry_system using (true);
grant select on tenantry.usage_cursor to tenantry_app;
grant select, update (epoch, tx, id) on tenantry.usage_cursor to tenantry_system;
"""

BUCKETS = """
create table tenantry.usage_{bucket}s (
    org_id   uuid        not null constraint usage_{bucket}s_of_org references tenantry.orgs (id) on delete cascade,
    meter    text        not null,
    {bucket} timestamptz not null,
    quantity bigint      not null,
    constraint usage_{bucket}s_key primary key (org_id, meter, {bucket})
);
comment on table tenantry.usage_{bucket}s is 'usage by the {bucket} that it counts for; follows from its events';
create index usage_{bucket}s_by_age on tenantry.usage_{bucket}s ({bucket});
alter table tenantry.usage_{bucket}s enable row level security;
alter table tenantry.usage_{bucket}s force row level security;
create policy own_org on tenantry.usage_{bucket}s for select to tenantry_app using (org_id = (select tenantry.org()));
create policy house on tenantry.usage_{bucket}s to tenantry_system using (true);
grant select on tenantry.usage_{bucket}s to tenantry_app;
grant select, insert, update (quantity), delete on tenantry.usage_{bucket}s to tenantry_system;
"""

PERIODS = """
create table tenantry.usage_periods (
    org_id     uuid        not null constraint usage_period_of_org references tenantry.orgs (id) on delete cascade,
    started_at timestamptz not null,
    ended_at   timestamptz not null,
    closed_at  timestamptz,
    constraint usage_periods_key primary key (org_id, started_at),
    constraint periods_have_a_length check (started_at < ended_at)
);
comment on table tenantry.usage_periods is 'the billing periods of organizations in which something was used';
comment on column tenantry.usage_periods.closed_at is 'from then on what comes late is an adjustment';
create index usage_periods_open on tenantry.usage_periods (ended_at) where closed_at is null;

create table tenantry.usage_totals (
    org_id     uuid        not null,
    started_at timestamptz not null,
    meter      text        not null,
    quantity   bigint      not null,
    constraint usage_totals_key primary key (org_id, started_at, meter),
    constraint usage_total_of_period foreign key (org_id, started_at)
        references tenantry.usage_periods (org_id, started_at) on delete cascade
);
comment on table tenantry.usage_totals is 'usage by billing period, with what came late; follows from its events';

create table tenantry.usage_adjustments (
    org_id     uuid        not null,
    started_at timestamptz not null,
    id         bigint      not null generated always as identity,
    meter      text        not null,
    quantity   bigint      not null,
    at         timestamptz not null default tenantry.now(),
    constraint usage_adjustments_key primary key (org_id, started_at, id),
    constraint usage_adjustment_of_period foreign key (org_id, started_at)
        references tenantry.usage_periods (org_id, started_at) on delete cascade
);
comment on table tenantry.usage_adjustments is 'what came late for a period that was closed, and is in its total';
"""

# There before Stripe is asked, so that whoever asks again after a death says the same. What comes late for an hour that
# was reported is a further one of it.
REPORTS = """
create table tenantry.usage_reports (
    org_id   uuid        not null constraint usage_report_of_org references tenantry.orgs (id) on delete cascade,
    meter    text        not null,
    hour     timestamptz not null,
    number   integer     not null,
    id       uuid        not null default gen_random_uuid(),
    quantity bigint      not null,
    asked_at timestamptz not null default tenantry.now(),
    heard_at timestamptz,
    why      text,
    constraint usage_reports_key primary key (org_id, meter, hour, number)
);
comment on table tenantry.usage_reports is 'usage by the hour as it was reported to the meters at Stripe';
comment on column tenantry.usage_reports.id is 'what makes a repetition the same report to Stripe';
comment on column tenantry.usage_reports.why is 'what Stripe refused it with';
create index usage_reports_unheard on tenantry.usage_reports (asked_at) where heard_at is null;
"""

WALLS = """
alter table tenantry.{table} enable row level security;
alter table tenantry.{table} force row level security;
create policy own_org on tenantry.{table} for select to tenantry_app using (org_id = (select tenantry.org()));
create policy house on tenantry.{table} to tenantry_system using (true);
grant select on tenantry.{table} to tenantry_app;
grant select, insert, update, delete on tenantry.{table} to tenantry_system;
"""

# what comes late may count for the month before, or the one before that
FIRST_MONTHS = """
select tenantry.make_month('usage_events', (date_trunc('month', tenantry.now() at time zone 'UTC')
                                            + ahead * interval '1 month')::date)
  from generate_series(-2, 3) as ahead;
"""


def upgrade() -> None:
    buckets = [BUCKETS.format(bucket=bucket) for bucket in ("minute", "hour")]
    walls = [
        WALLS.format(table=table) for table in ("usage_periods", "usage_totals", "usage_adjustments", "usage_reports")
    ]
    for part in (EVENTS, KEYS, CURSOR, *buckets, PERIODS, REPORTS, *walls, FIRST_MONTHS):
        op.execute(part)
