"""Job weights: how much more of a queue's places an organization gets than one that nobody weighs."""

from alembic import op

revision, down_revision = "0023", "0022"

WEIGHTS = """
create table tenantry.job_weights (
    org_id uuid     not null constraint job_weights_key primary key
                    constraint job_weight_of_org references tenantry.orgs on delete cascade,
    weight smallint not null constraint job_weight_within_reason check (weight between 1 and 100),
    until  timestamptz
);
comment on table tenantry.job_weights is 'parts of the queue; an organization without a row has one';
comment on column tenantry.job_weights.until is 'null: until somebody says otherwise';

alter table tenantry.job_weights enable row level security;
alter table tenantry.job_weights force row level security;
create policy house on tenantry.job_weights to tenantry_system using (true);
grant select, insert, update, delete on tenantry.job_weights to tenantry_system;

create function tenantry.job_weight(lane uuid) returns smallint language sql stable parallel safe as $$
    select coalesce((select weight
                       from tenantry.job_weights
                      where org_id = lane and coalesce(until > tenantry.now(), true)), 1::smallint)
$$;
comment on function tenantry.job_weight(uuid) is 'how much of a queue a lane gets, compared with others';
"""


def upgrade() -> None:
    op.execute(WEIGHTS)
