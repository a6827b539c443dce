"""`shed`: what a person who is signed in notices of 200 wrong logins in flight."""

from __future__ import annotations

from typing import Any

from bench.load import Generator, Load
from bench.processes import BenchFailed
from bench.report import Figure, Goal, Outcome, table
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import Person, Target
from bench.wire import Request

IN_FLIGHT = 200
PROBES = 4
LEAD = 1.0  # seconds in which the wrong logins pile up before anything counts


def run(stage: Stage) -> Outcome:
    """The latency of `me`, alone and under the wrong logins."""
    outcome = Outcome("shed", f"`me` on {PROBES} connections beside {IN_FLIGHT} wrong logins in flight, one core")
    quiet: dict[str, list[dict[str, Any]]] = {}
    loud: dict[str, list[dict[str, Any]]] = {}
    hammered: dict[str, list[dict[str, int]]] = {}
    with stage.running() as targets:
        accounts = {target.name: target.accounts(PROBES) for target in targets}
        for _ in range(stage.options.rounds):
            for target in targets:
                accounts[target.name] = target.renewed(accounts[target.name])
                load = probing(stage, target, [target.me(one) for one in accounts[target.name]])
                quiet.setdefault(target.name, []).append(probe(stage, load))
                latency, statuses = under_fire(stage, target, load)
                loud.setdefault(target.name, []).append(latency)
                hammered.setdefault(target.name, []).append(statuses)
        outcome.document = {**stage.facts(targets), "quiet": quiet, "loud": loud, "wrong_logins": hammered}
    outcome.tables.append(shown(quiet, loud, hammered))
    if stage.has_tenantry:
        p99 = Figure.of([one["latency_ms"]["p99"] for one in loud[Tenantry.name]])
        outcome.goals.append(Goal("`me` p99 below 100 ms", p99.middle, p99.middle < 100))
    return outcome


def probing(stage: Stage, target: Target, requests: list[Request]) -> Load:
    """A few signed-in people asking who they are."""
    # no warm-up: a first answer that takes longer than one would never count
    return Load(target.port, requests, PROBES, stage.options.seconds, warmup=0)


def probe(stage: Stage, load: Load) -> dict[str, Any]:
    """What they notice."""
    generator = Generator(load, stage.cores)
    generator.began()
    result = generator.result()
    if set(result["statuses"]) != {"200"}:
        raise BenchFailed(f"{load.requests[0].path} beside wrong logins: {result['statuses']}")
    return result


def under_fire(stage: Stage, target: Target, load: Load) -> tuple[dict[str, Any], dict[str, int]]:
    """The same beside connections that send the next wrong login as soon as the last is answered."""
    wrong = [target.login(Person.serial())]
    seconds = LEAD + stage.options.seconds
    fire = Generator(Load(target.port, wrong, IN_FLIGHT, seconds, warmup=LEAD), stage.cores)
    fire.began()
    latency = probe(stage, load)
    return latency, fire.result()["statuses"]


def shown(quiet: dict[str, list[Any]], loud: dict[str, list[Any]], hammered: dict[str, list[Any]]) -> str:
    """Latencies side by side, and how the wrong logins were answered."""
    lines = [["", "alone p99 ms", "under fire p50 ms", "under fire p99 ms", "wrong logins answered"]]
    for name in quiet:
        cells = [(quiet, "p99"), (loud, "p50"), (loud, "p99")]
        figures = [Figure.of([one["latency_ms"][q] for one in rounds[name]]).text() for rounds, q in cells]
        total: dict[str, int] = {}
        for statuses in hammered[name]:
            for status, count in statuses.items():
                total[status] = total.get(status, 0) + count
        lines.append([name, *figures, ", ".join(f"{count} x {status}" for status, count in sorted(total.items()))])
    return table(lines)
