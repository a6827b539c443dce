"""`webhooks`: signed deliveries a second, each attempt written down, and how soon an event is told after its commit."""

from __future__ import annotations

import asyncio
import os
import time
from itertools import count
from uuid import UUID

import aiohttp

from bench.load import Measured
from bench.product.house import Member, equipped, member, prepare
from bench.report import Figure, Goal, Outcome, Rounds, compared, documents, idle_core, ratio, table
from bench.stage import Stage
from bench.subject import Tenantry
from bench.turns import Hall, percentiles, take_turns
from bench.webhooks.filling import BODY, endpoint, fill, forget
from bench.webhooks.receiving import Receiving
from tenantry.entrypoints.worker import serve
from tenantry.foundation.domain import Registry
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import OrgWork
from tenantry.orgs.actions import change_org
from tenantry.webhooks.sending import drain
from tenantry.webhooks.sending.signing import signatures

ORGS, EACH, POOL = 50, 200, 8
HOSTILE, WAYS = 50, ("never", "drip", "large", "headers")
OURS, BARE = Tenantry.name, "aiohttp, nothing kept"
SIDE_BY_SIDE = 64
WARM, SAMPLES, PAUSE = 20, 200, 0.05
NEWCOMERS = count(ORGS + 1)
COLUMNS = {
    "deliveries/s": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "sender CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
}


def run(stage: Stage) -> Outcome:
    """Backlogs drained, beside the same requests from a bare client; then one event at a time, on an idle house."""
    outcome = Outcome("webhooks", f"{ORGS} endpoints with {EACH} deliveries each, one process, a local sink")
    target, hall = Tenantry(stage.postgres, stage.cores), Hall(stage.postgres, stage.cores)
    target.install()
    target.migrate()
    asyncio.run(prepare(target.address.url))
    with hall.runner, Receiving(stage.cores) as sink:
        environ = {"TENANTRY_DATABASE_POOL": str(POOL), "TENANTRY_EGRESS_ALLOW": sink.place}
        runtime, registry = equipped(target.env | environ)
        endpoints = hall.run(founded(runtime, sink))
        rounds = take_turns(
            {OURS: lambda: ours(hall, runtime, endpoints), BARE: lambda: bare(hall, sink)}, stage.options.rounds
        )
        own = hall.run(renaming(runtime, sink))
        soon = [
            {hostile: hall.run(told(runtime, registry, sink, own, hostile=hostile)) for hostile in (0, HOSTILE)}
            for _ in range(stage.options.rounds)
        ]
        hall.run(runtime.stop())
    outcome.document = {**stage.facts([target]), "rounds": documents(rounds), "first_byte_ms": soon}
    outcome.tables += [compared(rounds, OURS, COLUMNS), *idle_core(rounds)]
    lines = [
        [f"{which}, beside {hostile} hostile endpoints", Figure.of([one[hostile][which] for one in soon]).text(" ms")]
        for hostile in (0, HOSTILE)
        for which in ("p50", "p99")
    ]
    outcome.tables.append(table([["commit to first byte", ""], *lines]))
    judge(outcome, rounds, [one[0]["p99"] for one in soon], [one[HOSTILE]["p99"] for one in soon])
    return outcome


def judge(outcome: Outcome, rounds: Rounds, alone: list[float], beside: list[float]) -> None:
    """At least 4,000 a second, half of what the client alone does, and an event told within 20 ms."""
    rate = Figure.of([one.rate for one in rounds[OURS]]).middle
    share = ratio(rounds, OURS, BARE)
    outcome.document["ratios"] = {"bare": share.document()}
    outcome.goals.append(Goal("at least 4,000 deliveries a second", rate, rate >= 4000))
    outcome.goals.append(Goal("at least 0.5 x a bare client", share.middle, share.middle >= 0.5))
    soon = Figure.of(alone).middle
    outcome.goals.append(Goal("commit to first byte p99 at most 20 ms", soon, soon <= 20))
    slower = Figure.of([there / here for there, here in zip(beside, alone, strict=True)]).middle
    outcome.goals.append(Goal("beside hostile endpoints p99 at most 1.2 x alone", slower, slower <= 1.2))


async def founded(runtime: Runtime, sink: Receiving) -> list[tuple[UUID, UUID]]:
    """Organizations with an endpoint each."""
    members = [await member(runtime, number) for number in range(ORGS)]
    url = f"http://{sink.place}/hook"
    return [(one.org, await endpoint(runtime, one.org, url, ["nothing.else"])) for one in members]


def ours(hall: Hall, runtime: Runtime, endpoints: list[tuple[UUID, UUID]]) -> Measured:
    """A backlog, drained."""
    hall.run(fill(runtime, endpoints, EACH))
    return hall.weigh(lambda _: drain(runtime))


def bare(hall: Hall, sink: Receiving) -> Measured:
    """As many requests, signed, and nothing else."""
    return hall.weigh(lambda _: posted(f"http://{sink.place}/hook", ORGS * EACH))


async def posted(url: str, many: int) -> int:
    """Send so many, side by side."""
    secret, body, left = os.urandom(32), BODY.encode(), iter(range(many))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=SIDE_BY_SIDE)) as session:

        async def post() -> None:
            for number in left:
                at = int(time.time())
                headers = {
                    "Content-Type": "application/json", "webhook-id": f"msg_{number}", "webhook-timestamp": str(at),
                    "webhook-signature": signatures([secret], f"msg_{number}", at, body),
                }  # fmt: skip
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()

        await asyncio.gather(*(post() for _ in range(SIDE_BY_SIDE)))
    return many


async def renaming(runtime: Runtime, sink: Receiving) -> Member:
    """Somebody whose organization is told of each new name."""
    own = await member(runtime, ORGS)
    await endpoint(runtime, own.org, f"http://{sink.place}/hook", ["org.changed"])
    return own


async def told(runtime: Runtime, registry: Registry, sink: Receiving, own: Member, *, hostile: int) -> dict[str, float]:
    """One event at a time: the milliseconds from its commit to the first byte at the receiver."""
    for number in range(hostile):
        one = await member(runtime, next(NEWCOMERS))
        url = f"http://{sink.place}/{WAYS[number % len(WAYS)]}"
        await fill(runtime, [(one.org, await endpoint(runtime, one.org, url, ["nothing.else"]))], SIDE_BY_SIDE)
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(runtime, registry, stop))
    await asyncio.sleep(3)
    sink.heard()
    committed = [await renamed(own, number) for number in range(WARM + SAMPLES)]
    await asyncio.sleep(2)
    heard = sorted(sink.heard().values())
    stop.set()
    await serving
    await forget(runtime)
    return percentiles([first - at for first, at in zip(heard, committed, strict=True)][WARM:])


async def renamed(own: Member, number: int) -> float:
    """Give the organization another name; when that was committed."""
    async with OrgWork(own.call, own.org) as work:
        await change_org(work, name=f"Acme again {number}")
    committed = time.monotonic()
    await asyncio.sleep(PAUSE)
    return committed
