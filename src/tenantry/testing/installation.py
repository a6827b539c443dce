"""An installation for one test: its own database, runtime and HTTP server in this process, and hands to look inside."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from tenantry.admin.actions import add_operator
from tenantry.assemble import build_runtime
from tenantry.entrypoints.http.app import build_app
from tenantry.entrypoints.http.witness import Witness
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.events.following import drain_consumers
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import drain_jobs
from tenantry.foundation.net.mailbox import Mail, MailboxPost
from tenantry.foundation.permission import OperatorRole
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.passwords import Cost, Passwords
from tenantry.foundation.work import SystemWork
from tenantry.settings import read_settings
from tenantry.testing.browser import Browser
from tenantry.testing.client import Client
from tenantry.testing.team import Team, add_member
from tenantry.webhooks.sending import drain as drain_deliveries

PASSWORD = "correct horse battery staple"  # noqa: S105  (of people who exist in tests only)
MASTER_KEYS = "test:dGVzdHMtb25seS0zMi1ieXRlcy1sb25nLWtleS4uLi4="
# one hash is to cost next to nothing where hashing is not what is tested
CHEAP = Cost(memory_kib=64, passes=1)
_TOKEN = re.compile(r"[?&]token=([A-Za-z0-9._-]+)")
_people = itertools.count(1)


class Installation:
    """A running Tenantry of one's own."""

    def __init__(self, runtime: Runtime, registry: Registry, http: aiohttp.ClientSession, origin: str) -> None:
        self.runtime = runtime
        self.registry = registry
        self._http = http
        self.client = Client(http, origin)
        self.origin = origin

    def browser(self, *, agent: str = "Browser/1.0") -> Browser:
        """A browser that has never been here."""
        return Browser(self._http, self.origin, agent=agent)

    async def ask(self, job: NewJob) -> UUID:
        """Ask for a job as the house does, at a tick of a schedule for instance; its id."""
        call = Call(self.runtime, Actor("job", name=job.kind), "request-of-a-test")
        async with SystemWork(call, reason="a test") as work:
            return work.enqueue(job)

    async def drain_jobs(self) -> int:
        """Run every job that is due; says how many."""
        return await drain_jobs(self.runtime, self.registry.handlers)

    async def drain_consumers(self) -> int:
        """Have every consumer read all that is committed; says how many events that took. Runs none of their jobs."""
        return await drain_consumers(self.runtime, self.registry.consumers)

    async def deliver(self) -> int:
        """Tell webhooks all that is committed, and send what is due; says how many attempts that took."""
        await self.drain_consumers()
        return await drain_deliveries(self.runtime)

    async def mails(self) -> list[Mail]:
        """Every mail that was sent, newest first."""
        post = self.runtime.mailer.post
        assert isinstance(post, MailboxPost)
        return await post.read(1000)

    async def mailed_token(self, to: str) -> str:
        """The token in the newest mail to an address, after running the jobs that send it."""
        await self.drain_jobs()
        for mail in await self.mails():
            if mail.to == to and (found := _TOKEN.search(mail.text)):
                return found.group(1)
        raise AssertionError(f"no mail with a link went to {to}")

    async def register(self, email: str, *, password: str = PASSWORD, name: str = "Ada Lovelace") -> str:
        """Ask to join; the proof that the answer holds."""
        answer = await self.client.post("/v1/auth/register", {"email": email, "password": password, "name": name})
        assert answer.status == 202, answer
        return str(answer.json["registration"])

    async def person(self, email: str | None = None, *, password: str = PASSWORD, name: str = "Ada Lovelace") -> Client:
        """A client signed in as a new person, who joined through the front door."""
        email = email or f"person{next(_people)}@example.com"
        proof = await self.register(email, password=password, name=name)
        body = {"token": await self.mailed_token(email), "registration": proof}
        answer = await self.client.post("/v1/auth/verify-email", body)
        assert answer.status == 200, answer
        return self.client.signed_in(answer.json)

    async def team(self, name: str = "Acme") -> Team:
        """A new organization with somebody new in each role, and a stranger."""
        owner, admin, member, stranger = [await self.person() for _ in range(4)]
        founded = await owner.post("/v1/orgs", {"name": name})
        assert founded.status == 201, founded
        org = str(founded.json["id"])
        await add_member(self.runtime, org, admin, "admin")
        await add_member(self.runtime, org, member, "member")
        return Team(org, owner, admin, member, stranger)

    async def operator(self, role: OperatorRole = "admin", *, person: Client | None = None) -> Client:
        """A client signed in as an operator; somebody new, unless it says who."""
        person = person or await self.person()
        user_id = USER_ID.read(person.user_id)
        assert user_id is not None
        async with SystemWork(Call(self.runtime, Actor("cli"), "request-of-a-test"), reason="a test") as work:
            await add_operator(work, user_id=user_id, role=role)
        answer = await self.client.post("/v1/admin/auth/login", {"email": person.email, "password": PASSWORD})
        assert answer.status == 200, answer
        return self.client.signed_in(answer.json | {"user": person.tokens["user"]})

    async def rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """What a statement finds, asked as the house: for looking, not for acting."""
        connection: asyncpg.Connection[Any] = await asyncpg.connect(self.runtime.database.url)
        try:
            async with connection.transaction():
                await connection.execute("set local role tenantry_system")
                return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def recorded(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of every event of a kind, oldest first."""
        found = await self.rows("select payload from tenantry.events where kind = $1 order by tx, id", kind)
        return [json.loads(row["payload"]) for row in found]

    async def assert_recorded(self, kind: str, **facts: Any) -> None:
        """Fail unless an event of this kind with these facts was recorded."""
        known = await self.recorded(kind)
        found = [payload for payload in known if facts.items() <= payload.items()]
        assert found, f"no {kind} with {facts} among {known[-5:]}"


@asynccontextmanager
async def installed(
    database_url: str,
    data: Path,
    *,
    registry: Registry,
    environ: Mapping[str, str] | None = None,
    cost: Cost = CHEAP,
    witness: Witness | None = None,
) -> AsyncIterator[Installation]:
    """An installation on a migrated database, with its mailbox in a folder; `environ` adds settings."""
    port = _free_port()
    reading = read_settings(
        registry.sections,
        environ={
            "TENANTRY_ENVIRONMENT": "development",
            "TENANTRY_DATABASE_URL": database_url,
            "TENANTRY_DATA": str(data),
            "TENANTRY_MASTER_KEYS": MASTER_KEYS,
            "TENANTRY_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "TENANTRY_DATABASE_POOL": "8",
            # people of a test all come from one address; a test of the limits says `on`
            "TENANTRY_RATE_LIMITS": "off",
        }
        | dict(environ or {}),
        dotenv=None,
    )
    runtime = msgspec.structs.replace(build_runtime(reading, registry), passwords=Passwords(cost=cost))
    async with _served(runtime, registry, port, witness), aiohttp.ClientSession() as http:
        yield Installation(runtime, registry, http, f"http://127.0.0.1:{port}")


@asynccontextmanager
async def _served(runtime: Runtime, registry: Registry, port: int, witness: Witness | None) -> AsyncIterator[None]:
    app = build_app(runtime, registry, witness=witness or Witness(lines=False))
    server = Server(
        app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False,
        log_enabled=False,
    )  # fmt: skip
    serving = asyncio.create_task(server.serve())
    try:
        await _until_it_answers(port, serving)
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        with suppress(asyncio.CancelledError):
            async with asyncio.timeout(10):
                await serving


async def _until_it_answers(port: int, serving: asyncio.Task[None]) -> None:
    async with asyncio.timeout(10):
        while True:
            if serving.done():
                serving.result()
                raise RuntimeError("the server ended before it answered")
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
