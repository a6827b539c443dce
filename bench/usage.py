"""`usage`: what metering costs a commit that has everything else in it, and how fast batches of reports are counted."""

from __future__ import annotations

import json
from itertools import count

from bench.product.actions import make_thing
from bench.product.house import Member, equipped, member, prepare
from bench.product.meters import THINGS
from bench.report import Figure, Goal, Outcome, Rounds, compared, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import POOL
from bench.turns import Hall, Step, take_turns
from tenantry.foundation.wire import decode
from tenantry.foundation.work import OrgWork
from tenantry.usage.http.usage import UsageReport, report_usage

PLAIN, METERED, KEYED, REPORTED = "not metered", "metered", "metered under a key", "reported events"
BATCH, REPORTERS = 1000, 4
COLUMNS = {
    "a second": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "client CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
    "p50 ms": lambda one: one.latency_ms["p50"],
    "p99 ms": lambda one: one.latency_ms["p99"],
}
_keys = count()


def run(stage: Stage) -> Outcome:
    """Commits a second with and without, taking turns; then events a second, a thousand a commit."""
    outcome = Outcome("usage", f"the commit of `bundle`, metered, {POOL} connections, one process")
    target, hall = Tenantry(stage.postgres, stage.cores), Hall(stage.postgres, stage.cores)
    target.install()
    target.migrate()
    with hall.runner:
        steps = hall.run(prepared(target))
        seconds = stage.options.seconds * 0.75
        measures = {
            name: (lambda own=own, each=each: hall.measure(own, seconds, each=each))
            for name, (own, each) in steps.items()
        }
        rounds = take_turns(measures, stage.options.rounds)
    outcome.document = {**stage.facts([target]), "rounds": documents(rounds)}
    commits = {name: found for name, found in rounds.items() if name != REPORTED}
    outcome.tables += [compared(commits, METERED, COLUMNS), *idle_core(commits)]
    outcome.tables.append(compared({REPORTED: rounds[REPORTED]}, REPORTED, COLUMNS))
    judge(outcome, rounds)
    return outcome


def judge(outcome: Outcome, rounds: Rounds) -> None:
    """At least 0.90 of the commits, at least fifty thousand events a second."""
    share = ratio(rounds, METERED, PLAIN)
    outcome.document["ratios"] = {"metered": share.document(), "keyed": ratio(rounds, KEYED, PLAIN).document()}
    outcome.goals.append(Goal("metered at least 0.90 x not metered", share.middle, share.middle >= 0.90))
    events = Figure.of([one.rate for one in rounds[REPORTED]]).middle
    outcome.goals.append(Goal("at least 50,000 reported events a second", events, events >= 50_000))


async def prepared(target: Tenantry) -> dict[str, tuple[list[Step], int]]:
    """One step for each connection and each way, and for how much a step counts."""
    environ = target.env | {"TENANTRY_DATABASE_POOL": str(POOL), "TENANTRY_RATE_LIMITS": "off"}
    await prepare(target.address.url)
    runtime, _ = equipped(environ)
    members = [await member(runtime, number) for number in range(POOL)]
    return {
        PLAIN: ([made(own) for own in members], 1),
        METERED: ([made(own, metered=True) for own in members], 1),
        KEYED: ([made(own, metered=True, keyed=True) for own in members], 1),
        REPORTED: ([reported(own) for own in members[:REPORTERS]], BATCH),
    }


def made(own: Member, *, metered: bool = False, keyed: bool = False) -> Step:
    """The row of `bundle` by its verb, with its event, details, audit row and jobs; and metered."""

    async def step() -> None:
        async with OrgWork(own.call, own.org) as work:
            await make_thing(work)
            if metered:
                work.meter(THINGS, key=f"key-{next(_keys)}" if keyed else None)

    return step


def reported(own: Member) -> Step:
    """A request's body with a batch of events, each under a key of its own, decoded and counted as its route does."""

    async def step() -> None:
        events = [{"meter": THINGS.key, "quantity": 1, "key": f"key-{next(_keys)}"} for _ in range(BATCH)]
        body = decode(json.dumps({"events": events}).encode(), UsageReport)
        async with OrgWork(own.call, own.org) as work:
            await report_usage(work, body)

    return step
