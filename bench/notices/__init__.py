"""`notices`: what Stripe tells, taken by one server process, and a shuffled backlog of it applied by one worker."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg

from bench.load import Load, Measured, measure
from bench.notices.backlog import drained
from bench.notices.told import SETTINGS, signed_requests
from bench.processes import BenchFailed
from bench.report import Figure, Goal, Outcome, compared, documents, idle_core
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import Target

COLUMNS = {
    "notices/s": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "server CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
    "p50 ms": lambda one: one.latency_ms["p50"],
    "p99 ms": lambda one: one.latency_ms["p99"],
}
LEAST_TAKEN, LONGEST_WAIT, LEAST_APPLIED = 1000, 10.0, 200
READY_FOR = 5_000
"""Notices a second that are signed ahead; whoever takes more of them meets some twice, and is told so."""


def run(stage: Stage) -> Outcome:
    """Notices taken a second on one core, how long one alone waits, and a backlog applied."""
    outcome = Outcome("notices", "signed notices, each committed with its job before it is answered; then a backlog")
    target = Tenantry(stage.postgres, stage.cores)
    target.install()
    target.extra = dict(SETTINGS)
    target.start()
    try:
        taken(stage, outcome, target)
    finally:
        target.stop()
    drained(stage, outcome)
    return outcome


def taken(stage: Stage, outcome: Outcome, target: Tenantry) -> None:
    """Many connections that fill the core, and one that has it for itself."""
    many, alone = stage.options.connections, 1
    rounds = stage.rounds([target], lambda one: accepted(stage, one, many))
    quiet = replace(stage, options=replace(stage.options, rounds=1)).rounds(
        [target], lambda one: accepted(stage, one, alone)
    )
    shown = {f"{many} connections": rounds[target.name], "one connection": quiet[target.name]}
    outcome.document = {**stage.facts([target]), "rounds": documents(shown)}
    outcome.tables += [compared(shown, "", COLUMNS), *idle_core(rounds)]
    rate = Figure.of([one.rate for one in rounds[target.name]]).middle
    waited = max(one.latency_ms["p99"] for one in quiet[target.name])
    outcome.goals += [
        Goal(f"at least {LEAST_TAKEN:,} notices taken a second", rate, rate >= LEAST_TAKEN),
        Goal(f"one alone within {LONGEST_WAIT:g} ms at p99", waited, waited <= LONGEST_WAIT),
    ]


def accepted(stage: Stage, target: Target, connections: int) -> Measured:
    """One window; as many notices must be in the database as were answered."""
    seconds = stage.options.seconds
    requests = signed_requests(round(READY_FOR * (seconds + 1)))
    before = asyncio.run(_kept(target.address.url))
    load = Load(target.port, requests, connections, seconds, right=frozenset({202}))
    measured = measure(load, target.meter(), stage.cores)
    kept = asyncio.run(_kept(target.address.url)) - before
    if kept < measured.answers:
        raise BenchFailed(f"{measured.answers} notices were answered and {kept} kept: some were met twice")
    return measured


async def _kept(url: str) -> int:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("set role tenantry_system")
        found: int = await connection.fetchval(
            "select count(*) from tenantry.stripe_notices join tenantry.jobs on unique_key = stripe_notices.id",
            timeout=60,
        )
        return found
    finally:
        await connection.close()
