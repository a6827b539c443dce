"""Disabling: until when an operator keeps a person out, and why."""

from alembic import op

revision, down_revision = "0025", "0024"

DISABLINGS = """
create table tenantry.disablings (
    user_id uuid        not null constraint disablings_key primary key
                        constraint disabling_of_user references tenantry.users on delete cascade,
    at      timestamptz not null default tenantry.now(),
    until   timestamptz,
    why     text        not null
);
comment on table tenantry.disablings is 'people who are kept out; `users.disabled_at` is what every door looks at';
comment on column tenantry.disablings.until is 'null: until an operator enables the account';
comment on column tenantry.disablings.why is 'in the words of an operator, who may quote the person';
create index disablings_by_end on tenantry.disablings (until) where until is not null;

alter table tenantry.disablings enable row level security;
alter table tenantry.disablings force row level security;
create policy house on tenantry.disablings to tenantry_system using (true);
grant select, insert, update, delete on tenantry.disablings to tenantry_system;
"""


def upgrade() -> None:
    op.execute(DISABLINGS)
