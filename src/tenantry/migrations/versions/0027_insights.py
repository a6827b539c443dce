"""Insights: what happened to everybody by day, and how what organizations pay by the month came to be."""

from alembic import op

revision, down_revision = "0027", "0026"

PEOPLE = """
create table tenantry.insight_people (
    generation smallint not null,
    measure    text     not null,
    day        date     not null,
    user_id    uuid     not null,
    count      bigint   not null constraint people_counted check (count > 0),
    constraint insight_people_key primary key (generation, measure, day, user_id)
);
comment on table tenantry.insight_people is 'how often what is measured happened to a person on a day, in UTC';
comment on column tenantry.insight_people.user_id is 'an id, which nothing resolves once the person is purged';
"""

# Keyed by the organization, which is how a purge finds them; what is asked for is asked by day.
ORGS = """
create table tenantry.insight_orgs (
    org_id     uuid     not null,
    generation smallint not null,
    measure    text     not null,
    day        date     not null,
    count      bigint   not null constraint orgs_counted check (count > 0),
    constraint insight_orgs_key primary key (org_id, generation, measure, day)
);
comment on table tenantry.insight_orgs is 'how often what is measured happened in an organization on a day, in UTC';
comment on column tenantry.insight_orgs.generation is '0: of organizations that are purged, under ids made up for it';
create index insight_orgs_by_day on tenantry.insight_orgs (generation, day);

create table tenantry.insight_movements (
    org_id     uuid     not null,
    generation smallint not null,
    day        date     not null,
    sort       text     not null constraint known_movement
                        check (sort in ('new', 'expansion', 'contraction', 'churn', 'reactivation')),
    currency   text     not null,
    amount     bigint   not null,
    constraint insight_movements_key primary key (org_id, generation, day, sort, currency)
);
comment on table tenantry.insight_movements is 'how much more an organization pays by the month since a day, or less';
comment on column tenantry.insight_movements.amount is 'in the currency''s smallest unit; below zero where it is less';
create index insight_movements_by_day on tenantry.insight_movements (generation, day);

create table tenantry.insight_subscriptions (
    org_id       uuid     not null,
    generation   smallint not null,
    subscription text     not null,
    number       bigint   not null,
    status       text     not null,
    plan         text,
    currency     text,
    monthly      bigint   not null,
    doubles      text,
    constraint insight_subscriptions_key primary key (org_id, generation, subscription)
);
comment on table tenantry.insight_subscriptions is 'subscriptions as the log left them';
comment on column tenantry.insight_subscriptions.number is 'of the last event about it; a lower one is old news';
comment on column tenantry.insight_subscriptions.monthly is 'what it brings by the month; 0 while it brings nothing';
comment on column tenantry.insight_subscriptions.doubles is 'the older one, beside which it does not count';
create index insight_subscriptions_by_generation on tenantry.insight_subscriptions (generation);
"""

WALLS = """
alter table tenantry.insight_people enable row level security;
alter table tenantry.insight_people force row level security;
alter table tenantry.insight_orgs enable row level security;
alter table tenantry.insight_orgs force row level security;
alter table tenantry.insight_movements enable row level security;
alter table tenantry.insight_movements force row level security;
alter table tenantry.insight_subscriptions enable row level security;
alter table tenantry.insight_subscriptions force row level security;
create policy house on tenantry.insight_people to tenantry_system using (true);
create policy house on tenantry.insight_orgs to tenantry_system using (true);
create policy house on tenantry.insight_movements to tenantry_system using (true);
create policy house on tenantry.insight_subscriptions to tenantry_system using (true);
grant select, insert, update, delete on tenantry.insight_people to tenantry_system;
grant select, insert, update, delete on tenantry.insight_orgs to tenantry_system;
grant select, insert, update, delete on tenantry.insight_movements to tenantry_system;
grant select, insert, update, delete on tenantry.insight_subscriptions to tenantry_system;
"""


def upgrade() -> None:
    for part in (PEOPLE, ORGS, WALLS):
        op.execute(part)
