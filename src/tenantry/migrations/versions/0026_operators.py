"""Operators: who runs the installation, in which role, and where they are signed in as such."""

from alembic import op

revision, down_revision = "0026", "0025"

OPERATORS = """
create table tenantry.operators (
    user_id    uuid        not null constraint operators_key primary key
                           constraint operator_is_user references tenantry.users on delete cascade,
    role       text        not null constraint known_operator_role check (role in ('viewer', 'support', 'admin')),
    granted_at timestamptz not null default tenantry.now()
);
comment on table tenantry.operators is 'people who run the installation; made at the command line only';
comment on column tenantry.operators.granted_at is 'when they got the role that they have';

create table tenantry.operator_sessions (
    id           uuid        not null constraint operator_sessions_key primary key,
    user_id      uuid        not null constraint session_of_operator
                             references tenantry.operators on delete cascade,
    created_at   timestamptz not null default tenantry.now(),
    proved_at    timestamptz not null default tenantry.now(),
    last_used_at timestamptz not null default tenantry.now(),
    source       text        not null,
    agent        text        not null
);
comment on table tenantry.operator_sessions is 'where operators are signed in; a row that is gone has ended';
comment on column tenantry.operator_sessions.proved_at is 'when they last showed who they are';
create index operator_sessions_of_user on tenantry.operator_sessions (user_id, created_at);

alter table tenantry.operators enable row level security;
alter table tenantry.operators force row level security;
alter table tenantry.operator_sessions enable row level security;
alter table tenantry.operator_sessions force row level security;
create policy house on tenantry.operators to tenantry_system using (true);
create policy house on tenantry.operator_sessions to tenantry_system using (true);
grant select, insert, update, delete on tenantry.operators to tenantry_system;
grant select, insert, update, delete on tenantry.operator_sessions to tenantry_system;
"""


def upgrade() -> None:
    op.execute(OPERATORS)
