"""A Tenantry with the bench's product on it, in this process: its runtime, its people, and jobs asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import asyncpg
import msgspec

from bench.product.domain import SCHEMA, domain
from bench.product.jobs import NOOP
from tenantry.accounts.actions import add_person, start_session
from tenantry.assemble import DOMAINS, build_runtime
from tenantry.foundation import housekeeping
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.net.address import read_address
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.orgs.actions import create_org
from tenantry.settings import read_settings

CHUNK = 1000
SOURCE, AGENT = "203.0.113.7", "bench/1.0 (a browser's name is about as long as this)"


def equipped(environ: Mapping[str, str]) -> tuple[Runtime, Registry]:
    """A runtime of these settings alone, and the registry with the product in it."""
    registry = Registry((*DOMAINS, domain), jobs=housekeeping)
    return build_runtime(read_settings(registry.sections, environ=environ, dotenv=None), registry), registry


async def prepare(url: str) -> None:
    """Make the product's table in a migrated database."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(SCHEMA)
    finally:
        await connection.close()


class Member(msgspec.Struct, frozen=True):
    """A call of somebody signed in, and the organization that is theirs."""

    call: Call
    org: UUID


def house_call(runtime: Runtime) -> Call:
    """A call of nobody but the house."""
    return Call(runtime, Actor("cli"), "bench", source=SOURCE, agent=AGENT)


async def member(runtime: Runtime, number: int) -> Member:
    """Somebody new, signed in, with an organization of their own."""
    address = read_address(f"ada{number}@example.com")
    async with SystemWork(house_call(runtime), reason="a bench needs a person") as work:
        user = await add_person(work, address=address, name="Ada Bench", password_hash="none")
        session = await start_session(work, user_id=user.id)
    actor = Actor("person", person=user.id, session=session.session_id)
    call = Call(runtime, actor, "bench", source=SOURCE, agent=AGENT)
    async with PersonWork(call) as work:
        org = await create_org(work, name=f"Acme {number}", slug=None)
    return Member(call, org.id)


async def ask(runtime: Runtime, count: int, kind: str = NOOP, *, org: UUID | None = None) -> None:
    """Ask for so many jobs of a kind, a thousand a commit."""
    call = house_call(runtime)
    if org is not None:
        call = call.within(org)
    for start in range(0, count, CHUNK):
        async with SystemWork(call, reason="a bench asks for jobs") as work:
            for _ in range(min(CHUNK, count - start)):
                work.enqueue(NewJob(kind))
