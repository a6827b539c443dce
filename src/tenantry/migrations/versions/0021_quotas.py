"""Quotas: how much of a meter is used in a period, and which shares of it were told."""

from alembic import op

revision, down_revision = "0021", "0020"

# One row for each limit of an organization and each of its periods: whoever uses something changes it in their own
# transaction, one after the other, and that is what makes a limit exact.
COUNTERS = """
create table tenantry.usage_counters (
    org_id       uuid        not null constraint counter_of_org references tenantry.orgs (id) on delete cascade,
    limit_key    text        not null,
    period_start timestamptz not null,
    period_end   timestamptz not null,
    used         bigint      not null constraint use_is_counted check (used >= 0),
    told         smallint    not null default 0 constraint told_is_a_share check (told between 0 and 100),
    told_of      bigint,
    constraint usage_counters_key primary key (org_id, limit_key, period_start)
) with (fillfactor = 50);
comment on table tenantry.usage_counters is 'how much of a limited meter an organization has used in a period';
comment on column tenantry.usage_counters.limit_key is 'the limit''s key in the plan file';
comment on column tenantry.usage_counters.told is 'the highest share, in percent, that was told';
comment on column tenantry.usage_counters.told_of is 'of how much it was a share';
create index usage_counters_by_age on tenantry.usage_counters (period_end);
alter table tenantry.usage_counters enable row level security;
alter table tenantry.usage_counters force row level security;
create policy own_org on tenantry.usage_counters to tenantry_app using (org_id = (select tenantry.org()));
create policy house on tenantry.usage_counters to tenantry_system using (true);
grant select, insert, update (period_end, used, told, told_of), delete on tenantry.usage_counters to tenantry_app;
grant select, insert, update, delete on tenantry.usage_counters to tenantry_system;
"""

CROSSINGS = """
create table tenantry.quota_crossings (
    org_id       uuid        not null constraint crossing_of_org references tenantry.orgs (id) on delete cascade,
    limit_key    text        not null,
    period_start timestamptz not null,
    allowed      bigint      not null,
    share        smallint    not null constraint share_is_a_part check (share between 1 and 100),
    used         bigint      not null,
    crossed_at   timestamptz not null default tenantry.now(),
    constraint quota_crossings_key primary key (org_id, limit_key, period_start, allowed, share)
);
comment on table tenantry.quota_crossings is 'which shares of a limit were reached and told, each once a period';
comment on column tenantry.quota_crossings.share is 'in percent of what was allowed';
alter table tenantry.quota_crossings enable row level security;
alter table tenantry.quota_crossings force row level security;
create policy own_org on tenantry.quota_crossings to tenantry_app using (org_id = (select tenantry.org()));
create policy house on tenantry.quota_crossings to tenantry_system using (true);
grant select, insert on tenantry.quota_crossings to tenantry_app;
grant select, insert, update, delete on tenantry.quota_crossings to tenantry_system;
"""


def upgrade() -> None:
    op.execute(COUNTERS)
    op.execute(CROSSINGS)
