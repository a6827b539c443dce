"""A domain in organizations whose operations go wrong half way, and one that says in whose context it was answered."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import one, run, value
from tenantry.foundation.domain import Domain
from tenantry.foundation.jobs.handler import Job, handles
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork, PersonWork
from tenantry.orgs.permissions import ORG_READ

routes = Routes("troubling")


class Context(Wire):
    """In whose context something was answered, and whose rows were to be seen."""

    role: str
    person: str
    org: str
    orgs: list[str]
    people: list[str]


class Found(msgspec.Struct, frozen=True):
    """The same, as a row."""

    role: str
    person: str
    org: str
    orgs: list[str]
    people: list[str]


context = one(
    Found,
    """
    select current_user::text as role,
           coalesce(current_setting('tenantry.person', true), '') as person,
           coalesce(current_setting('tenantry.org', true), '') as org,
           array(select distinct org_id::text from tenantry.members) as orgs,
           array(select distinct id::text from tenantry.users) as people
    """,
)
sleep = value(bool, "select pg_sleep(:seconds) is not null")
rename = run("update tenantry.orgs set name = :name where id = :org_id")


async def _context(work: OrgWork | PersonWork) -> Context:
    return msgspec.convert(await context(work), Context, from_attributes=True)


@routes.get("/orgs/{org}/trouble/context", requires=ORG_READ)
async def reads(work: OrgWork) -> Context:
    """Say whose context this is, in a transaction that is left as it is."""
    return await _context(work)


@routes.post("/orgs/{org}/trouble/context", requires=ORG_READ)
async def writes(work: OrgWork) -> Context:
    """Say whose context this is, in a transaction that is committed."""
    return await _context(work)


@routes.get("/trouble/context", requires=ONESELF)
async def alone(work: PersonWork) -> Context:
    """Say whose context this is outside any organization."""
    return await _context(work)


@routes.post("/orgs/{org}/trouble/raises", requires=ORG_READ)
async def raises(work: OrgWork) -> None:
    """Raise after a change."""
    await rename(work, name="never", org_id=work.org)
    raise RuntimeError("a mistake")


@routes.get("/orgs/{org}/trouble/raises", requires=ORG_READ)
async def raises_reading(work: OrgWork) -> None:
    """Raise after a look."""
    await context(work)
    raise RuntimeError("a mistake")


@routes.post("/orgs/{org}/trouble/times-out", requires=ORG_READ)
async def times_out(work: OrgWork) -> None:
    """Ask the database for longer than it may take."""
    await work.connection.execute("set local statement_timeout = '20ms'")
    await sleep(work, seconds=5.0)


@routes.get("/orgs/{org}/trouble/times-out", requires=ORG_READ)
async def times_out_reading(work: OrgWork) -> None:
    """Ask the database for longer than it may take, reading."""
    await work.connection.execute("set local statement_timeout = '20ms'")
    await sleep(work, seconds=5.0)


@routes.get("/orgs/{org}/trouble/slow", requires=ORG_READ)
async def slow(work: OrgWork) -> Context:
    """Take a while, so that the client may be gone before."""
    await sleep(work, seconds=0.05)
    return await _context(work)


class Touch(msgspec.Struct):
    """Which organization a job is about, and whether it is to crash."""

    org_id: UUID
    crash: bool


class Touched:
    """What the jobs saw."""

    def __init__(self) -> None:
        self.contexts: list[tuple[UUID | None, UUID, str]] = []


touched = Touched()


@handles("troubling.touch")
async def touch(job: Job, given: Touch) -> None:
    """Rename the organization that the job was asked for in."""
    async with job.work(reason="a test") as work:
        inherited = await work.connection.fetchval("select coalesce(current_setting('tenantry.org', true), '')")
        touched.contexts.append((job.org, given.org_id, inherited))
        await work.connection.execute("update tenantry.orgs set name = 'touched' where id = $1", job.org)
        if given.crash:
            raise RuntimeError("a mistake")


domain = Domain(name="troubling", needs=("orgs",), routes=routes)
