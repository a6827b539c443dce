"""`refresh`: session chains, each connection rotating its own token; the peers have none."""

from __future__ import annotations

from bench.load import Load, Measured, measure
from bench.report import Figure, Goal, Outcome, compared, documents, idle_core
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import Target

COLUMNS = {
    "requests/s": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "server CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
    "p50 ms": lambda one: one.latency_ms["p50"],
    "p99 ms": lambda one: one.latency_ms["p99"],
}


def run(stage: Stage) -> Outcome:
    """Refreshes a second on one core."""
    connections = stage.options.connections
    outcome = Outcome("refresh", f"{connections} session chains, one core")
    with stage.running(only=(Tenantry.name,)) as targets:
        if not targets:
            outcome.tables.append("  nothing to measure without Tenantry")
            return outcome

        def measured(target: Target) -> Measured:
            assert isinstance(target, Tenantry)
            # a round's chains end with it, so each begins with sessions of its own
            requests = [target.refresh(account) for account in target.sessions(connections)]
            load = Load(target.port, requests, connections, stage.options.seconds, chained=True)
            return measure(load, target.meter(), stage.cores)

        rounds = stage.rounds(targets, measured)
        outcome.document = {**stage.facts(targets), "rounds": documents(rounds)}
    rate = Figure.of([one.rate for one in rounds[Tenantry.name]])
    outcome.tables += [compared(rounds, Tenantry.name, COLUMNS), *idle_core(rounds)]
    outcome.goals.append(Goal("at least 1,500 refreshes a second", rate.middle, rate.middle >= 1500))
    return outcome
