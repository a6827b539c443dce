"""`jobs`: no-op jobs drained beside two peers, and what the queue is like to wait for, to leave alone and to crowd."""

from __future__ import annotations

import asyncio

from bench.jobs.crowd import crowded
from bench.jobs.history import grown_old
from bench.jobs.holding import held
from bench.jobs.queues import drained, ours, peers, versions
from bench.jobs.waiting import idle, woken
from bench.product.house import prepare
from bench.report import Goal, Outcome, Rounds, compared, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry

COLUMNS = {
    "jobs/s": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "worker CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
}
LEAST_RATE = 12_000
LEAST_RATIOS = {"pgqueuer": 2.0, "procrastinate": 10.0}


def run(stage: Stage) -> Outcome:
    """Drains beside the peers; then, of ours alone, waking, idling, a snapshot held, a flood, and an old queue."""
    outcome = Outcome("jobs", "no-op jobs, one worker process on one core, each acknowledged for good")
    target = Tenantry(stage.postgres, stage.cores)
    target.install()
    target.migrate()
    asyncio.run(prepare(target.address.url))
    compare(stage, outcome, target)
    for part in (woken, idle, crowded, held):
        part(stage, outcome, target)
    if stage.options.history:
        grown_old(stage, outcome, target)
    return outcome


def compare(stage: Stage, outcome: Outcome, target: Tenantry) -> None:
    """Each queue drained in turn, on the same core and the same server."""
    queues = [ours(target), *peers(stage.postgres)]
    seconds = stage.options.seconds / 2
    rounds = drained(queues, stage.postgres, stage.cores, seconds=seconds, rounds=stage.options.rounds)
    facts = stage.facts([target])
    facts["versions"] |= versions()
    outcome.document = {**facts, "rounds": documents(rounds)}
    outcome.tables += [compared(rounds, target.name, COLUMNS), *idle_core(rounds)]
    judge(outcome, rounds)


def judge(outcome: Outcome, rounds: Rounds) -> None:
    """At least so many a second, and so many times the peers."""
    rate = sorted(one.rate for one in rounds[Tenantry.name])[len(rounds[Tenantry.name]) // 2]
    outcome.goals.append(Goal(f"at least {LEAST_RATE:,} jobs/s", rate, rate >= LEAST_RATE))
    for other in (name for name in rounds if name != Tenantry.name):
        reached = ratio(rounds, Tenantry.name, other)
        outcome.document.setdefault("ratios", {})[other] = reached.document()
        if least := LEAST_RATIOS.get(other):
            outcome.goals.append(Goal(f"at least {least:g} x {other}", reached.middle, reached.middle >= least))
