"""Grain, flour, and what was counted and rung."""

from alembic import op

revision, down_revision = "0001", None

TABLES = """
create table mill.grains (id uuid not null constraint grains_key primary key);
create table mill.flour (
    id       bigint not null generated always as identity constraint flour_key primary key,
    grain_id uuid   not null,
    how      text   not null
);
create table mill.rings (
    id   bigint      not null generated always as identity constraint rings_key primary key,
    tick timestamptz not null
);
create table mill.tally (
    id         bigint   not null generated always as identity constraint tally_key primary key,
    generation smallint not null,
    event_id   uuid     not null
);
"""
WALLS = """
alter table mill.{table} enable row level security;
alter table mill.{table} force row level security;
create policy house on mill.{table} to tenantry_system using (true);
grant select, insert, update, delete on mill.{table} to tenantry_system;
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("grains", "flour", "rings", "tally"):
        op.execute(WALLS.format(table=table))
