"""The plan that an organization is on, for each reason why, and the values that it has beside its plan's."""

from alembic import op

revision, down_revision = "0016", "0015"

PLANS = """
create table tenantry.org_plans (
    org_id       uuid        not null constraint plan_of_org references tenantry.orgs (id) on delete cascade,
    source       text        not null constraint known_source check (source in ('grant', 'subscription', 'trial')),
    plan         text        not null,
    plan_version integer     not null constraint versions_begin_at_one check (plan_version >= 1),
    seats        integer     constraint seats_are_counted check (seats >= 1),
    valid_until  timestamptz,
    created_at   timestamptz not null default tenantry.now(),
    updated_at   timestamptz not null default tenantry.now(),
    constraint org_plans_key primary key (org_id, source)
);
comment on table tenantry.org_plans is 'the plan an organization is on, once for each reason; without one the default';
comment on column tenantry.org_plans.plan is 'its key in the plan file';
comment on column tenantry.org_plans.seats is 'how many seats were bought; null: as many as the plan says';

create table tenantry.plan_overrides (
    org_id      uuid        not null constraint override_of_org references tenantry.orgs (id) on delete cascade,
    feature_key text        not null,
    source      text        not null constraint known_source check (source in ('override', 'add_on')),
    value       bigint      constraint value_is_counted check (value >= 0),
    reason      text        not null constraint reason_is_short check (char_length(reason) between 1 and 500),
    valid_until timestamptz,
    created_at  timestamptz not null default tenantry.now(),
    updated_at  timestamptz not null default tenantry.now(),
    constraint plan_overrides_key primary key (org_id, feature_key, source)
);
comment on table tenantry.plan_overrides is 'values of features and limits that an organization has beside its plan''s';
comment on column tenantry.plan_overrides.value is 'of a feature 1 or 0; of a limit a number, null for none';

alter table tenantry.org_plans enable row level security;
alter table tenantry.org_plans force row level security;
alter table tenantry.plan_overrides enable row level security;
alter table tenantry.plan_overrides force row level security;
create policy seen_in_context on tenantry.org_plans for select to tenantry_app
    using (case when (select tenantry.org()) is not null then org_id = (select tenantry.org())
                else exists (select from tenantry.members
                              where members.org_id = org_plans.org_id
                                and user_id = (select tenantry.person()) offset 0) end);
create policy house on tenantry.org_plans to tenantry_system using (true);
create policy seen_in_context on tenantry.plan_overrides for select to tenantry_app
    using (case when (select tenantry.org()) is not null then org_id = (select tenantry.org())
                else exists (select from tenantry.members
                              where members.org_id = plan_overrides.org_id
                                and user_id = (select tenantry.person()) offset 0) end);
create policy house on tenantry.plan_overrides to tenantry_system using (true);
grant select on tenantry.org_plans, tenantry.plan_overrides to tenantry_app;
grant select, insert, update, delete on tenantry.org_plans, tenantry.plan_overrides to tenantry_system;
"""


def upgrade() -> None:
    op.execute(PLANS)
