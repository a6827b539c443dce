"""Two tenants, works opened in them, and the pooler that may stand before the database."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, SESSION_ID, USER_ID
from tenantry.foundation.work import OrgWork, PersonWork
from tenantry.testing import Client, Installation

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
TABLES = """
    select relname as name,
           has_table_privilege('tenantry_app', pg_class.oid, 'select') as readable,
           array(select attname::text
                   from pg_attribute
                  where attrelid = pg_class.oid and attnum > 0 and not attisdropped
                    and has_column_privilege('tenantry_app', pg_class.oid, attnum, 'insert')) as inserts,
           array(select attname::text
                   from pg_attribute
                  where attrelid = pg_class.oid and attnum > 0 and not attisdropped
                    and has_column_privilege('tenantry_app', pg_class.oid, attnum, 'update')) as updates,
           has_table_privilege('tenantry_app', pg_class.oid, 'delete') as deletes
      from pg_class
     where relnamespace = 'tenantry'::regnamespace
       and relkind in ('r', 'p')
       and not relispartition
       and (relname = 'orgs' or exists (select from pg_attribute
                                         where attrelid = pg_class.oid and attname = 'org_id' and not attisdropped))
     order by relname
"""


@dataclass(frozen=True)
class Tenant:
    """A tenant with its owner."""

    house: Installation
    owner: Client
    org: str

    @property
    def org_id(self) -> UUID:
        found = ORG_ID.read(self.org)
        assert found is not None
        return found

    @property
    def person(self) -> UUID:
        found = USER_ID.read(self.owner.user_id)
        assert found is not None
        return found

    @property
    def path(self) -> str:
        return f"/v1/orgs/{self.org}"

    async def call(self) -> Call:
        claims = await self.house.runtime.keys.verify(self.owner.tokens["access_token"])
        actor = Actor("person", self.person, SESSION_ID.read(claims.sid))
        return Call(self.house.runtime, actor, "request-of-a-test")

    async def work(self, *, reading: bool = False) -> OrgWork:
        return OrgWork(await self.call(), self.org_id, reading=reading)

    async def own_work(self, *, reading: bool = False) -> PersonWork:
        return PersonWork(await self.call(), reading=reading)


async def tenant(house: Installation, name: str) -> Tenant:
    """Somebody founds an organization."""
    owner = await house.person(name=f"{name} owner")
    founded = await owner.post("/v1/orgs", {"name": name})
    assert founded.status == 201, founded
    return Tenant(house, owner, founded.json["id"])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection of one's own, as the login."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


CONFIGURATION = """
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 100
server_reset_query =
{account}
"""


@asynccontextmanager
async def pooled(url: str, *, size: int) -> AsyncIterator[str]:
    """The URL of a PgBouncer in transaction mode before that database, with so many connections to it."""
    assert PGBOUNCER
    folder, root = Path(mkdtemp(prefix="bouncer-")), os.geteuid() == 0
    parts, listen = urlsplit(url), _free_port()
    asked = {name: some[0] for name, some in parse_qs(parts.query).items()}
    (folder / "bouncer.ini").write_text(
        CONFIGURATION.format(
            host=asked.get("host", parts.hostname),
            port=asked.get("port", parts.port or 5432),
            user=parts.username,
            password=parts.password or "",
            listen=listen,
            size=size,
            # it refuses to be root
            account="user = nobody" if root else "",
        )
    )
    if root:
        for path in (folder, folder / "bouncer.ini"):
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    process = subprocess.Popen([PGBOUNCER, "-q", folder / "bouncer.ini"])  # noqa: ASYNC220  (it only starts)
    try:
        await _listens(listen, process)
        yield f"postgresql://{parts.username}:any@127.0.0.1:{listen}{parts.path}"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


async def _listens(port: int, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(10):
        while True:
            assert process.poll() is None, "the pooler ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
