"""A domain whose things and meters a plan limits, and installations that go by such plans."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tenantry import Meter, NotFound, PlanNeeded, Quota, require_room, use
from tenantry.assemble import DOMAINS
from tenantry.foundation import housekeeping
from tenantry.foundation.action import action
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, SESSION_ID, USER_ID, IdKind
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.jobs.handler import Job, handles
from tenantry.foundation.permission import HOUSE, MEMBERS, Permission
from tenantry.foundation.problems import Conflict
from tenantry.foundation.routes import Routes
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork, SystemWork, Work
from tenantry.plans import actions as plans
from tenantry.testing import Client, Installation, installed
from tenantry.usage.problems import QuotaReached

PLANS = """
default = "free"

[features]
sso = "Single sign-on"

[limits]
seats = "Members and invites"
things = "Things"
runs = "Runs a period"
calls = "Calls a period"
calls_a_day = "Calls a day"
checks = "Checks a period"

[[plans]]
key = "free"
name = "Free"
limits = { seats = 4, things = 100, runs = 100, calls = 10, calls_a_day = 4, checks = 10 }

[[plans]]
key = "twice"
name = "Twice"
features = ["sso"]
limits = { seats = 8, things = 200, runs = 200, calls = 20, calls_a_day = 8, checks = 20 }

[[plans]]
key = "soft"
name = "Soft"
limits = { runs = 10, things = 2 }
soft = ["runs", "things"]

[[plans]]
key = "none"
name = "None"
limits = { runs = 0, calls_a_day = 0 }

[[plans]]
key = "endless"
name = "Endless"
"""
SCHEMA = """
create schema rationed;
create table rationed.things (
    org_id uuid not null, id uuid not null default gen_random_uuid(), primary key (org_id, id)
);
grant usage on schema rationed to tenantry_app, tenantry_system;
grant select, insert, update, delete on rationed.things to tenantry_app, tenantry_system;
"""
RUNS = Meter("runs", unit="run", sentence="Runs.", ingest=True)
CALLS = Meter("calls", unit="call", sentence="Calls.", ingest=True)
CHECKS = Meter("checks", unit="check", sentence="Checks.")
RATIONED = Permission("rationed:write", "Do what the plan rations.", roles=MEMBERS)
THING_ID = IdKind("thing", "thing_id")
routes = Routes("rationed")
things = value(int, "select count(*) from rationed.things where org_id = tenantry.org()")
keep = value(UUID, "insert into rationed.things (org_id) values (tenantry.org()) returning id")
drop = run("delete from rationed.things where org_id = tenantry.org() and id = :thing_id")


class Asked(Wire):
    """How much of what to use, under which key, and how it ends."""

    quantity: int = 1
    key: str | None = None
    fails: bool = False
    forgiven: bool = False


class Thing(Wire):
    """A thing."""

    id: str


class InJob(msgspec.Struct, frozen=True):
    """What a job does, and how."""

    what: str
    how: str = "org_work"


@action(requires=RATIONED)
async def make_thing(work: OrgWork) -> UUID:
    """Make a thing."""
    await require_room(work, "things")
    made = await keep(work)
    assert made is not None
    return made


@action(requires=HOUSE)
async def make_thing_in_job(work: Work) -> None:
    """Make a thing that somebody asked for."""
    await require_room(work, "things")
    await keep(work)


@routes.post("/orgs/{org}/things", requires=RATIONED, status=201, problems=(PlanNeeded,),
             answer_example={"id": "thing_01jd4w2q8nf6v9m3x5c7b1r0kt"})  # fmt: skip
async def post_thing(work: OrgWork) -> Thing:
    """Make a thing."""
    return Thing(id=THING_ID.text(await make_thing(work)))


@routes.delete("/orgs/{org}/things/{thing}", requires=RATIONED, ids={"thing": THING_ID}, status=204)
async def delete_thing(work: OrgWork, thing: UUID) -> None:
    """Throw a thing away."""
    if not await drop(work, thing_id=thing):
        raise NotFound


async def _use(work: Work, meter: Meter, asked: Asked) -> None:
    try:
        await use(work, meter, quantity=asked.quantity, key=asked.key)
    except QuotaReached:
        if not asked.forgiven:
            raise
    if asked.fails:
        raise Conflict


@routes.post("/orgs/{org}/runs", requires=RATIONED, status=204, problems=(PlanNeeded,), example={"quantity": 1})
async def post_run(work: OrgWork, body: Asked) -> None:
    """Run something."""
    await _use(work, RUNS, body)


@routes.post("/orgs/{org}/calls", requires=RATIONED, status=204, problems=(PlanNeeded,), example={"quantity": 1})
async def post_call(work: OrgWork, body: Asked) -> None:
    """Call something."""
    await _use(work, CALLS, body)


@routes.post("/orgs/{org}/checks", requires=RATIONED, status=204, problems=(PlanNeeded,), example={"quantity": 1})
async def post_check(work: OrgWork, body: Asked) -> None:
    """Check something."""
    await _use(work, CHECKS, body)


@handles("rationed.do", max_attempts=1)
async def do(job: Job, asked: InJob) -> None:
    """Do in a job what the plan rations."""
    opened = {"org_work": job.org_work, "org_step": job.org_step, "work": job.work}[asked.how]
    async with opened(reason="a test") as work:
        if asked.what == "things":
            await make_thing_in_job(work)
        else:
            await use(work, RUNS)


jobs = ModuleType("rationed_jobs")
vars(jobs)["do"], do.__module__ = do, jobs.__name__
domain = Domain(
    name="rationed",
    needs=("orgs", "plans"),
    permissions=(RATIONED,),
    routes=routes,
    jobs=jobs,
    meters=(RUNS, CALLS, CHECKS),
    quotas=(
        Quota(limit="things", title="Things", used=things),
        Quota(limit="runs", title="Runs", meter=RUNS),
        Quota(limit="calls", title="Calls", meter=CALLS),
        Quota(limit="calls_a_day", title="Calls a day", meter=CALLS, per="day"),
        Quota(limit="checks", title="Checks", meter=CHECKS, hard=False),
    ),
)


def registry() -> Registry:
    """Core's domains, and this one."""
    return Registry((*DOMAINS, domain), jobs=housekeeping)


def plan_file(folder: Path) -> Mapping[str, str]:
    """The settings that name the plan file of an installation, for each of its processes."""
    place = str(folder / "plans.toml")
    return {"TENANTRY_PLAN_FILE": place, "TENANTRY_LINK_UPGRADE": "https://app.example.com/upgrade?org={org}"}


@asynccontextmanager
async def rationing(url: str, folder: Path, **environ: str) -> AsyncIterator[Installation]:
    """An installation with such plans, and with what they limit."""
    connection = await asyncpg.connect(url)
    await connection.execute(SCHEMA)
    await connection.close()
    (folder / "plans.toml").write_text(PLANS)
    async with installed(url, folder, registry=registry(), environ={**plan_file(folder), **environ}) as house:
        yield house


def uuid_of(org: str) -> UUID:
    """The id that rows have."""
    found = ORG_ID.read(org)
    assert found is not None
    return found


def house_work(house: Installation) -> SystemWork:
    """Work of the house."""
    return SystemWork(Call(house.runtime, Actor("cli"), "a-trial"), reason="a test")


def org_call(runtime: Runtime, org: UUID) -> Call:
    """A call of a job of an organization."""
    return Call(runtime, Actor("job", org=org), "a-trial")


async def member_work(house: Installation, person: Client, org: str) -> OrgWork:
    """Work of a member."""
    claims = await house.runtime.keys.verify(person.tokens["access_token"])
    actor = Actor("person", person=USER_ID.read(person.user_id), session=SESSION_ID.read(claims.sid))
    return OrgWork(Call(house.runtime, actor, "a-trial"), uuid_of(org))


async def give(house: Installation, org: str, plan: str) -> None:
    """Put an organization on a plan."""
    async with house_work(house) as work:
        await plans.give_plan(work, org_id=uuid_of(org), plan=plan, source="subscription")


async def founded(house: Installation) -> tuple[Client, str]:
    """Somebody, and an organization that is theirs."""
    owner = await house.person()
    return owner, str((await owner.post("/v1/orgs", {"name": "Acme"})).json["id"])


async def posted(person: Client, path: str, body: Any = None) -> int:
    """How a request was answered; where a machine is too busy it is asked again, as clients do."""
    for _ in range(20):
        answer = await person.post(path, body)
        if answer.status != 503:
            break
    return answer.status


async def quotas(person: Client, org: str) -> dict[str, Any]:
    """What is said of each quota."""
    answer = await person.get(f"/v1/orgs/{org}/quotas")
    assert answer.status == 200, answer
    return {one["limit"]: one for one in answer.json["items"]}


async def told(house: Installation, org: str, limit: str) -> list[tuple[int, int]]:
    """The shares that were told of a limit, each with of how much, in their order."""
    crossed = await house.recorded("usage.quota_crossed")
    return [
        (one["share"], one["allowed"])
        for one in crossed
        if one["org_id"] == str(uuid_of(org)) and one["limit"] == limit
    ]


async def differing(house: Installation, limit: str, meter: str) -> list[Any]:
    """The counters of a limit that are not what was metered for their time, in one look."""
    return await house.rows(
        """
        select counter.org_id, counter.used, rows.used
          from tenantry.usage_counters as counter
         cross join lateral (select coalesce(sum(quantity), 0) as used
                               from tenantry.usage_events
                              where org_id = counter.org_id
                                and meter = $2
                                and at >= counter.period_start
                                and at < counter.period_end) as rows
         where counter.limit_key = $1
           and counter.used <> rows.used
        """,
        limit, meter,
    )  # fmt: skip
