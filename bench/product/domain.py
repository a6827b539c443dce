"""Everything the bench's product brings, and its table."""

from __future__ import annotations

from bench.product import events, jobs
from bench.product.meters import THINGS
from tenantry.foundation.domain import Domain

domain = Domain(name="bench", needs=("orgs",), events=events, jobs=jobs, meters=(THINGS,))

SCHEMA = """
create schema if not exists bench;
create table if not exists bench.things (
    org_id uuid not null,
    id     uuid not null,
    name   text not null,
    constraint things_key primary key (org_id, id)
);
alter table bench.things enable row level security;
alter table bench.things force row level security;
drop policy if exists in_org on bench.things;
create policy in_org on bench.things to tenantry_app using (org_id = (select tenantry.org()));
drop policy if exists house on bench.things;
create policy house on bench.things to tenantry_system using (true);
create table if not exists bench.seen (
    reader text   not null,
    number bigint not null,
    constraint seen_key primary key (reader, number)
);
grant usage on schema bench to tenantry_app, tenantry_system;
grant select, insert, delete on bench.things, bench.seen to tenantry_app, tenantry_system;
"""
