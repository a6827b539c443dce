"""A domain whose operations and jobs use something, and the meters that count it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from tenantry.assemble import DOMAINS
from tenantry.foundation import housekeeping
from tenantry.foundation.action import action
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.jobs.handler import Job, handles
from tenantry.foundation.meter import Meter
from tenantry.foundation.permission import MEMBERS, Permission
from tenantry.foundation.problems import Conflict
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork, SystemWork, Work
from tenantry.testing import Client, Installation, installed
from tenantry.testing.installation import PASSWORD
from tenantry.usage import actions
from tenantry.usage.models import Period

CALLS = Meter("api_calls", unit="call", sentence="Calls of the interface.", ingest=True, stripe_event="api_calls")
BYTES = Meter("stored.bytes", unit="byte", sentence="Bytes that were stored.", ingest=True)
LETTERS = Meter("letters", unit="letter", sentence="Letters that were sent.")
FOREIGN = Meter("nobodys", unit="thing", sentence="What no domain declares.")
BILLED: dict[UUID, Period] = {}
"""Which period somebody says that organizations are billed for."""
METERED = Permission("metered:write", "Use something.", roles=MEMBERS)
routes = Routes("metered")


class Asked(Wire):
    """How much to use, under which key, and how it ends."""

    quantity: int = 1
    key: str | None = None
    apart: bool = False
    fails: bool = False


class InJob(msgspec.Struct, frozen=True):
    """How a job does it."""

    how: str


@action(requires=METERED)
async def send_letters(work: OrgWork, *, asked: Asked) -> None:
    """Send letters, which is metered."""
    work.meter(LETTERS, asked.quantity, key=asked.key)
    if asked.apart:
        await _regretted(work)
    if asked.fails:
        raise Conflict


async def _regretted(work: OrgWork) -> None:
    try:
        async with work.apart():
            work.meter(LETTERS, 1000)
            work.meter(LETTERS, 1000, key="regretted")
            raise Conflict
    except Conflict:
        return


@routes.post("/orgs/{org}/letters", requires=METERED, status=204, example={"quantity": 1})
async def letters(work: OrgWork, body: Asked) -> None:
    """Send letters."""
    await send_letters(work, asked=body)


@handles("metered.send")
async def send(job: Job, args: InJob) -> None:
    """Use something in a job."""
    if args.how == "org_work":
        async with job.org_work(reason="a test") as work:
            work.meter(LETTERS, 3)
    elif args.how == "org_step":
        async with job.org_step(reason="a test") as step:
            step.meter(LETTERS, 3)
    else:
        async with job.work(reason="a test") as house_work:
            house_work.meter(LETTERS, 3)


async def billed(work: Work, orgs: Sequence[UUID], at: datetime) -> Mapping[UUID, Period]:
    """Which of them is billed for which period."""
    return {org: BILLED[org] for org in orgs if org in BILLED and BILLED[org].holds(at)}


jobs = ModuleType("metered_jobs")
vars(jobs)["send"], send.__module__ = send, jobs.__name__
domain = Domain(
    name="metered",
    needs=("orgs", "usage"),
    permissions=(METERED,),
    routes=routes,
    jobs=jobs,
    meters=(CALLS, BYTES, LETTERS),
    answers={actions.current_periods: billed},
)


def registry() -> Registry:
    """Core's domains, and this one."""
    return Registry((*DOMAINS, domain), jobs=housekeeping)


@asynccontextmanager
async def metering(url: str, folder: Path, **environ: str) -> AsyncIterator[Installation]:
    """An installation in which something is used."""
    async with installed(url, folder, registry=registry(), environ=environ) as house:
        yield house


def house_work(house: Installation) -> SystemWork:
    """Work of the house."""
    return SystemWork(Call(house.runtime, Actor("cli"), "a-trial"), reason="a test")


def work_in(house: Installation, org: str) -> SystemWork:
    """Work of a job of an organization."""
    return SystemWork(Call(house.runtime, Actor("job", org=org_uuid(org)), "a-trial"), reason="a test")


def org_uuid(org: str) -> UUID:
    """The id that rows have."""
    found = ORG_ID.read(org)
    assert found is not None
    return found


async def founded(house: Installation) -> tuple[Client, str]:
    """Somebody, and an organization that is theirs."""
    owner = await house.person()
    return owner, str((await owner.post("/v1/orgs", {"name": "Acme"})).json["id"])


async def fold(house: Installation, *, most: int = 1000) -> int:
    """Add all that is new to the sums; in how many transactions."""
    for done in range(1000):
        async with house_work(house) as work:
            if not await actions.fold_usage(work, most=most):
                return done
    raise AssertionError("folding does not end")


async def again(house: Installation, person: Client) -> Client:
    """The same person, signed in anew."""
    answer = await house.client.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
    assert answer.status == 200, answer
    return person.signed_in(answer.json)


async def report(owner: Client, org: str, *events: dict[str, Any]) -> dict[str, Any]:
    """Report usage; what is answered."""
    answer = await owner.post(f"/v1/orgs/{org}/usage", {"events": list(events)})
    assert answer.status == 200, answer
    return dict(answer.json)


async def used(owner: Client, org: str, meter: str = "letters", **query: str) -> int:
    """What is said to be used of a meter, in all buckets of an answer."""
    return sum(one["quantity"] for one in await sums(owner, org, meter=meter, **query))


async def sums(owner: Client, org: str, **query: str) -> list[dict[str, Any]]:
    """What an answer has; `since` and `until` are its from and to."""
    names = {"since": "from", "until": "to"}
    query = {names.get(name, name): said for name, said in query.items()}
    answer = await owner.get(f"/v1/orgs/{org}/usage?{urlencode(query)}")
    assert answer.status == 200, answer
    return list(answer.json["items"])


async def raw(house: Installation, org: str, meter: str = "letters") -> int:
    """What the events make."""
    rows = await house.rows(
        "select coalesce(sum(quantity), 0)::bigint as sum from tenantry.usage_events where org_id = $1 and meter = $2",
        org_uuid(org), meter,
    )  # fmt: skip
    return int(rows[0]["sum"])
