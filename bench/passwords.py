"""`login` and `register`: how much of the machine's raw Argon2id rate arrives as answers."""

from __future__ import annotations

from collections.abc import Callable

from bench.argon2 import raw_rate
from bench.load import Load, Measured, measure
from bench.report import Figure, Goal, Outcome, compared, documents, table
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import Person, Target
from bench.wire import Request

CONNECTIONS = 4  # enough to keep the core hashing, few enough that a queue of four a core sheds nobody
PEOPLE = 32
COLUMNS = {
    "requests/s": lambda one: one.rate,
    "server CPU us": lambda one: one.server_us,
    "p50 ms": lambda one: one.latency_ms["p50"],
    "p99 ms": lambda one: one.latency_ms["p99"],
}
Requests = Callable[[Target], list[Request]]


def login(stage: Stage) -> Outcome:
    """Right passwords of many people."""
    people: dict[str, list[Request]] = {}

    def requests(target: Target) -> list[Request]:
        if target.name not in people:
            people[target.name] = [target.login(account.person) for account in target.accounts(PEOPLE)]
        return people[target.name]

    return run(
        stage,
        Outcome("login", f"e-mail and password, {CONNECTIONS} connections, one core"),
        requests,
        "login",
    )


def register(stage: Stage) -> Outcome:
    """New people, each with an address of their own; Tenantry's mails wait for a worker."""

    def requests(target: Target) -> list[Request]:
        return [target.registration(Person.serial())]

    outcome = Outcome("register", f"new accounts, {CONNECTIONS} connections, one core")
    return run(stage, outcome, requests, "register")


def run(stage: Stage, outcome: Outcome, requests: Requests, verb: str) -> Outcome:
    """Take turns with the raw rate, and say each target's share of it."""
    raw: dict[str, list[float]] = {}
    with stage.running() as targets:

        def measured(target: Target) -> Measured:
            right = frozenset({target.registered if verb == "register" else 200})
            load = Load(target.port, requests(target), CONNECTIONS, stage.options.seconds, right=right)
            # directly before each window, as the machine's speed drifts
            raw.setdefault(target.name, []).append(raw_rate(stage.options.seconds, stage.cores.server))
            return measure(load, target.meter(), stage.cores)

        rounds = stage.rounds(targets, measured)
        outcome.document = {**stage.facts(targets), "rounds": documents(rounds), "raw": raw}
    shares = {
        name: Figure.of([one.rate / rate for one, rate in zip(done, raw[name][1:], strict=True)])
        for name, done in rounds.items()
    }
    outcome.document["shares"] = {name: share.document() for name, share in shares.items()}
    outcome.tables.append(compared(rounds, Tenantry.name, COLUMNS))
    every = [rate for rates in raw.values() for rate in rates]
    lines = [["raw Argon2id here", f"{Figure.of(every).text()} hashes/s"]]
    lines += [
        [f"{name} reaches", f"{Figure(*[value * 100 for value in vars(share).values()]).text(' %')}"]
        for name, share in shares.items()
    ]
    outcome.tables.append(table(lines))
    if stage.has_tenantry:
        share = shares[Tenantry.name].middle
        outcome.goals.append(Goal(f"{verb} at least 0.90 of the raw rate", share, share >= 0.9))
    return outcome
