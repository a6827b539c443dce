"""`me`: who am I, with a token, on one core; then where Tenantry spends that time."""

from __future__ import annotations

from bench import where
from bench.load import Load, Measured, measure_gets
from bench.report import Goal, Outcome, Rounds, compared, cpu_ratio, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import Target

PEOPLE = 16
COLUMNS = {
    "requests/s": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "server CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
    "p99 ms": lambda one: one.latency_ms["p99"],
}


def run(stage: Stage) -> Outcome:
    """Requests a second and CPU a request, against the peers."""
    outcome = Outcome("me", f"the caller's own account, {stage.options.connections} connections, one core")
    with stage.running() as targets:
        accounts = {target.name: target.accounts(PEOPLE) for target in targets}

        def measure(target: Target) -> Measured:
            accounts[target.name] = target.renewed(accounts[target.name])
            requests = [target.me(account) for account in accounts[target.name]]
            load = Load(target.port, requests, stage.options.connections, stage.options.seconds)
            return measure_gets(load, target.meter(), stage.cores)

        rounds = stage.rounds(targets, measure)
        outcome.document = {**stage.facts(targets), "rounds": documents(rounds)}
    outcome.tables += [compared(rounds, Tenantry.name, COLUMNS), *idle_core(rounds)]
    if stage.has_tenantry:
        judge(outcome, rounds)
        breakdown = where.run(stage)
        outcome.tables.append(breakdown.table())
        outcome.document["where"] = breakdown.document()
    return outcome


def judge(outcome: Outcome, rounds: Rounds) -> None:
    """At least six times each peer, in requests a second; CPU beside it."""
    for name in (name for name in rounds if name != Tenantry.name):
        by_rate, by_cpu = ratio(rounds, Tenantry.name, name), cpu_ratio(rounds, Tenantry.name, name)
        outcome.document.setdefault("ratios", {})[name] = {
            "rate": by_rate.document(),
            "cpu": by_cpu.document(),
        }
        outcome.tables.append(f"  against {name}: {by_rate.text(' x')} the requests, {by_cpu.text(' x')} less CPU")
        outcome.goals.append(Goal(f"at least 6 x {name}", by_rate.middle, by_rate.middle >= 6))
