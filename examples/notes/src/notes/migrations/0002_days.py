"""What is counted of notes, a generation beside the other while it is counted anew."""

from alembic import op

revision, down_revision = "0002", "0001"

DAYS = """
create table notes.days (
    org_id     uuid     not null constraint day_of_org references tenantry.orgs on delete cascade,
    generation smallint not null,
    day        date     not null,
    written    integer  not null,
    constraint days_key primary key (org_id, generation, day)
);
alter table notes.days enable row level security;
alter table notes.days force row level security;
create policy in_org on notes.days to tenantry_app using (org_id = (select tenantry.org()));
create policy house on notes.days to tenantry_system using (true);
grant select on notes.days to tenantry_app;
grant select, insert, update, delete on notes.days to tenantry_system;
"""


def upgrade() -> None:
    op.execute(DAYS)
