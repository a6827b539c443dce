"""Recovery: guesses at passwords, links that set a new one, and addresses that wait to be proven."""

from alembic import op

revision, down_revision = "0005", "0004"

GUESSES = """
create table tenantry.guesses (
    account    bytea       not null constraint guesses_key primary key,
    failed     integer     not null,
    held_until timestamptz not null,
    last_at    timestamptz not null
);
comment on table tenantry.guesses is 'passwords tried since the last right one, by address, had by somebody or not';
comment on column tenantry.guesses.account is 'a digest of the address; for a source the person knows, of both';
"""

RESETS = """
create table tenantry.password_resets (
    user_id    uuid        not null constraint password_resets_key primary key
                           constraint reset_of_user references tenantry.users on delete cascade,
    id         uuid        not null constraint one_reset_per_link unique,
    expires_at timestamptz not null
);
comment on table tenantry.password_resets is 'the only link of each person that may set a new password';
"""

CHANGES = """
create table tenantry.address_changes (
    user_id      uuid        not null constraint address_changes_key primary key
                             constraint change_of_user references tenantry.users on delete cascade,
    id           uuid        not null constraint one_change_per_link unique,
    email        text        not null,
    email_key    text        not null,
    previous     text        not null,
    expires_at   timestamptz not null,
    confirmed_at timestamptz
);
comment on table tenantry.address_changes is 'the address each person wants next, until it is proven';
"""

WALLS = """
alter table tenantry.guesses enable row level security;
alter table tenantry.guesses force row level security;
create policy house on tenantry.guesses to tenantry_system using (true);
grant select, insert, update, delete on tenantry.guesses to tenantry_system;

alter table tenantry.password_resets enable row level security;
alter table tenantry.password_resets force row level security;
create policy house on tenantry.password_resets to tenantry_system using (true);
grant select, insert, update, delete on tenantry.password_resets to tenantry_system;

alter table tenantry.address_changes enable row level security;
alter table tenantry.address_changes force row level security;
create policy house on tenantry.address_changes to tenantry_system using (true);
grant select, insert, update, delete on tenantry.address_changes to tenantry_system;
"""


def upgrade() -> None:
    for part in (GUESSES, RESETS, CHANGES, WALLS):
        op.execute(part)
