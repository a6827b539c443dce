"""Customer webhooks: where organizations want their events, what waits for whom, and what came of each attempt."""

from alembic import op

revision, down_revision = "0024", "0023"

ENDPOINTS = """
create table tenantry.webhook_endpoints (
    org_id          uuid        not null constraint webhook_endpoint_of_org references tenantry.orgs on delete cascade,
    id              uuid        not null constraint one_webhook_endpoint_per_id unique,
    url             text        not null,
    description     text        not null default '',
    events          text[]      not null default '{}',
    header_names    text[]      not null default '{}',
    sealed_headers  bytea,
    ordered         boolean     not null default false,
    payload_version date        not null,
    created_by      uuid        not null,
    created_at      timestamptz not null default tenantry.now(),
    disabled_at     timestamptz,
    disabled_why    text        constraint known_reason_to_disable check (disabled_why in ('asked', 'gone', 'failing')),
    deleted_at      timestamptz,
    version         integer     not null default 1,
    constraint webhook_endpoints_key primary key (org_id, id),
    constraint disabled_for_a_reason check ((disabled_at is null) = (disabled_why is null))
);
comment on table tenantry.webhook_endpoints is 'where organizations want to be told what happens';
comment on column tenantry.webhook_endpoints.events is 'types, or the beginning of some before `.*`; none: all';
comment on column tenantry.webhook_endpoints.payload_version is 'each type is told in the newest version of that day';
comment on column tenantry.webhook_endpoints.deleted_at is 'nothing is sent any more; a job removes what is left';
create index webhook_endpoints_deleted on tenantry.webhook_endpoints (deleted_at) where deleted_at is not null;

create table tenantry.webhook_secrets (
    org_id        uuid        not null,
    endpoint_id   uuid        not null,
    id            uuid        not null constraint one_webhook_secret_per_id unique,
    sealed_secret bytea       not null,
    created_at    timestamptz not null default tenantry.now(),
    ends_at       timestamptz,
    constraint webhook_secrets_key primary key (org_id, endpoint_id, id),
    constraint webhook_secret_of_endpoint foreign key (org_id, endpoint_id)
        references tenantry.webhook_endpoints (org_id, id) on delete cascade
);
comment on table tenantry.webhook_secrets is 'what deliveries are signed with; two while one takes the other''s place';
"""

# A process holds a lane while it sends from it; `hold` grows with each holder, so that one that slept cannot go on.
LANES = """
create table tenantry.webhook_lanes (
    org_id        uuid        not null,
    endpoint_id   uuid        not null,
    due_at        timestamptz,
    paused_until  timestamptz,
    failures      integer     not null default 0,
    failing_since timestamptz,
    holder        uuid,
    held_until    timestamptz,
    hold          bigint      not null default 0,
    replay_id     uuid,
    constraint webhook_lanes_key primary key (org_id, endpoint_id),
    constraint webhook_lane_of_endpoint foreign key (org_id, endpoint_id)
        references tenantry.webhook_endpoints (org_id, id) on delete cascade
);
comment on table tenantry.webhook_lanes is 'how each endpoint stands: when it is due, how it fares, who sends to it';
comment on column tenantry.webhook_lanes.due_at is 'when something of it is to be sent; null: nothing waits';
comment on column tenantry.webhook_lanes.paused_until is 'nothing is sent before, because it failed';
comment on column tenantry.webhook_lanes.replay_id is 'the job that was last asked to send again what happened';
comment on column tenantry.webhook_lanes.failing_since is 'nothing has arrived since; null: the last one did';
create index webhook_lanes_due on tenantry.webhook_lanes (greatest(due_at, paused_until))
    where due_at is not null;
create index webhook_lanes_held on tenantry.webhook_lanes (holder) where holder is not null;

create table tenantry.webhook_due (
    org_id      uuid        not null,
    endpoint_id uuid        not null,
    event_id    uuid        not null,
    at          timestamptz not null,
    version     smallint    not null,
    seq         bigint      not null generated always as identity,
    tries       smallint    not null default 0,
    attempts    integer     not null default 0,
    due_at      timestamptz not null default tenantry.now(),
    constraint webhook_due_key primary key (org_id, endpoint_id, event_id)
);
comment on table tenantry.webhook_due is 'deliveries that wait for their first attempt or the next';
comment on column tenantry.webhook_due.tries is 'how far it is in the schedule; begins anew when it is asked for again';
create index webhook_due_in_order on tenantry.webhook_due (org_id, endpoint_id, due_at, seq);
"""

HISTORY = """
create table tenantry.webhook_messages (
    at         timestamptz not null,
    org_id     uuid        not null,
    event_id   uuid        not null,
    version    smallint    not null,
    type       text        not null,
    body       text        not null,
    request_id text        not null,
    constraint webhook_messages_key primary key (org_id, event_id, version, at)
) partition by range (at);
comment on table tenantry.webhook_messages is 'what endpoints are told, once for all that are told it in this version';
comment on column tenantry.webhook_messages.at is 'when it happened';
create table tenantry.webhook_messages_rest partition of tenantry.webhook_messages default;

create table tenantry.webhook_deliveries (
    at           timestamptz not null,
    org_id       uuid        not null,
    endpoint_id  uuid        not null,
    event_id     uuid        not null,
    version      smallint    not null,
    type         text        not null,
    queued_at    timestamptz not null default tenantry.now(),
    attempts     integer     not null default 0,
    delivered_at timestamptz,
    failed_at    timestamptz,
    constraint webhook_deliveries_key primary key (org_id, endpoint_id, event_id, at),
    constraint delivered_or_failed check (delivered_at is null or failed_at is null)
) partition by range (at);
comment on table tenantry.webhook_deliveries is 'what was to be told to whom, and what came of it';
comment on column tenantry.webhook_deliveries.at is 'when it happened';
comment on column tenantry.webhook_deliveries.failed_at is 'nothing is tried any more, unless it is asked for again';
create table tenantry.webhook_deliveries_rest partition of tenantry.webhook_deliveries default;
create index webhook_deliveries_failed on tenantry.webhook_deliveries (org_id, endpoint_id, event_id)
    where failed_at is not null;

create table tenantry.webhook_attempts (
    at          timestamptz not null,
    org_id      uuid        not null,
    endpoint_id uuid        not null,
    event_id    uuid        not null,
    number      integer     not null,
    status      smallint,
    error       text,
    took_ms     integer     not null,
    answer      text        not null default '',
    constraint webhook_attempts_key primary key (org_id, endpoint_id, event_id, number, at)
) partition by range (at);
comment on table tenantry.webhook_attempts is 'each time something was sent, and what came back';
comment on column tenantry.webhook_attempts.answer is 'the beginning of it';
create table tenantry.webhook_attempts_rest partition of tenantry.webhook_attempts default;
"""

WALL = """
alter table tenantry.{table} enable row level security;
alter table tenantry.{table} force row level security;
create policy in_org on tenantry.{table} to tenantry_app using (org_id = (select tenantry.org()));
create policy house on tenantry.{table} to tenantry_system using (true);
grant select, insert, update, delete on tenantry.{table} to tenantry_system;
"""
REST_WALL = """
alter table tenantry.{table}_rest enable row level security;
alter table tenantry.{table}_rest force row level security;
"""
GRANTS = """
grant select,
      insert (org_id, id, url, description, events, header_names, sealed_headers, ordered, payload_version, created_by),
      update (url, description, events, header_names, sealed_headers, ordered, payload_version, disabled_at,
              disabled_why, deleted_at, version)
   on tenantry.webhook_endpoints to tenantry_app;
-- who asks in an organization can put secrets in, and read none
grant select (org_id, endpoint_id, id, created_at, ends_at), insert (org_id, endpoint_id, id, sealed_secret),
      update (ends_at), delete
   on tenantry.webhook_secrets to tenantry_app;
grant select, insert (org_id, endpoint_id), update (due_at, paused_until, failures, failing_since, replay_id)
   on tenantry.webhook_lanes to tenantry_app;
grant select, insert (org_id, endpoint_id, event_id, at, version, attempts), update (tries, due_at), delete
   on tenantry.webhook_due to tenantry_app;
grant select on tenantry.webhook_messages, tenantry.webhook_attempts to tenantry_app;
grant select, update (delivered_at, failed_at) on tenantry.webhook_deliveries to tenantry_app;
"""

FIRST_MONTHS = """
select tenantry.make_month(parent, (date_trunc('month', tenantry.now() at time zone 'UTC')
                                    + ahead * interval '1 month')::date)
  from unnest(array['webhook_messages', 'webhook_deliveries', 'webhook_attempts']) as parent,
       generate_series(0, 3) as ahead;
"""
MONTHLY = ("webhook_messages", "webhook_deliveries", "webhook_attempts")
ALL = ("webhook_endpoints", "webhook_secrets", "webhook_lanes", "webhook_due", *MONTHLY)


def upgrade() -> None:
    for part in (ENDPOINTS, LANES, HISTORY):
        op.execute(part)
    for table in ALL:
        op.execute(WALL.format(table=table))
    for table in MONTHLY:
        op.execute(REST_WALL.format(table=table))
    op.execute(GRANTS)
    op.execute(FIRST_MONTHS)
