"""`once`: what an idempotency key costs on the busiest write: the same invite under a key of its own, and without."""

from __future__ import annotations

from dataclasses import replace

from bench.load import Load, Measured, measure
from bench.orgs import COLUMNS, Teams
from bench.report import Goal, Outcome, compared, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry
from bench.turns import take_turns
from bench.wire import SERIAL, Request

PLAIN, KEYED = "without a key", "under a key"


def run(stage: Stage) -> Outcome:
    """Invites with a key each against invites without, on one server in turn."""
    outcome = Outcome("once", f"invites, {stage.options.connections} connections, one core")
    with stage.running(only=(Tenantry.name,)) as targets:
        [target] = targets
        teams = Teams(target)

        def measuring(*, keyed: bool) -> Measured:
            requests = [_keyed(one) if keyed else one for one in teams.invitations()]
            load = Load(target.port, requests, stage.options.connections, stage.options.seconds, right=frozenset({201}))
            return measure(load, target.meter(), stage.cores)

        rounds = take_turns(
            {PLAIN: lambda: measuring(keyed=False), KEYED: lambda: measuring(keyed=True)}, stage.options.rounds
        )
        outcome.document = {**stage.facts(targets), "rounds": documents(rounds)}
    share = ratio(rounds, KEYED, PLAIN)
    outcome.document["ratios"] = {"rate": share.document()}
    outcome.tables += [compared(rounds, KEYED, COLUMNS), *idle_core(rounds)]
    outcome.goals.append(Goal("at least 0.88 of the rate without", share.middle, share.middle >= 0.88))
    return outcome


def _keyed(request: Request) -> Request:
    return replace(request, headers={**request.headers, "Idempotency-Key": f"bench-{SERIAL}"})
