"""`keys`: a request by API key beside the same by token, and beside better-auth's `get-session` by a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.load import Load, Measured, measure_gets
from bench.me import COLUMNS
from bench.peers.better_auth import BetterAuth
from bench.report import Goal, Outcome, compared, cpu_ratio, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import Account, Target
from bench.turns import take_turns
from bench.wire import Request, must

PEOPLE = 16
BY_KEY, BY_TOKEN, PEER = "by key", "by token", "better_auth by key"
# limits are counted and never reached
FAST = {"TENANTRY_API_RATE": "1000000000", "TENANTRY_SOURCE_RATE": "1000000000"}
EXTRA = {Tenantry.name: FAST, BetterAuth.name: {"PEER_API_KEYS": "on"}}
GOALS = {BY_TOKEN: 0.9, PEER: 6.0}


def run(stage: Stage) -> Outcome:
    """Who has a key reads its organization, in turn with who has a token for it; and the peer."""
    outcome = Outcome("keys", f"one row by API key, {stage.options.connections} connections, one core")
    with _running(stage) as targets:
        turns = {name: turn for target in targets for name, turn in _turns(stage, target).items()}
        rounds = take_turns(turns, stage.options.rounds)
        outcome.document = {**stage.facts(targets), "rounds": documents(rounds)}
    outcome.tables += [compared(rounds, BY_KEY if BY_KEY in rounds else PEER, COLUMNS), *idle_core(rounds)]
    for other, least in GOALS.items():
        if {BY_KEY, other} <= rounds.keys():
            share, cpu = ratio(rounds, BY_KEY, other), cpu_ratio(rounds, BY_KEY, other)
            outcome.document.setdefault("ratios", {})[other] = {"rate": share.document(), "cpu": cpu.document()}
            outcome.goals.append(Goal(f"at least {least} x {other}", share.middle, share.middle >= least))
    return outcome


@contextmanager
def _running(stage: Stage) -> Iterator[list[Target]]:
    targets = stage.targets(only=(Tenantry.name, BetterAuth.name))
    try:
        for target in targets:
            target.extra |= EXTRA[target.name]
            target.start()
        yield targets
    finally:
        for target in targets:
            target.stop()


def _turns(stage: Stage, target: Target) -> dict[str, Callable[[], Measured]]:
    def measured(requests: list[Request]) -> Measured:
        load = Load(target.port, requests, stage.options.connections, stage.options.seconds)
        return measure_gets(load, target.meter(), stage.cores)

    accounts = target.accounts(PEOPLE)
    if isinstance(target, BetterAuth):
        keys = [target.api_key(account) for account in accounts]
        return {PEER: lambda: measured([target.me_by_key(key) for key in keys])}
    places = [Place(target, account) for account in accounts]

    def by_token() -> Measured:
        # tokens live for minutes
        renewed = target.renewed([place.account for place in places])
        for place, account in zip(places, renewed, strict=True):
            place.account = account
        return measured([place.read(place.account.access) for place in places])

    return {BY_KEY: lambda: measured([place.read(place.key) for place in places]), BY_TOKEN: by_token}


class Place:
    """An organization, who owns it, and a key that reads it."""

    def __init__(self, target: Target, account: Account) -> None:
        self.account = account
        founded = must(target.port, Request.json("/v1/orgs", {"name": "Bench"}, _bearer(account.access)), 201).json()
        self.path = f"/v1/orgs/{founded['id']}"
        asked = {"name": "bench", "scopes": ["org:read"]}
        made = must(target.port, Request.json(f"{self.path}/api-keys", asked, _bearer(account.access)), 201)
        self.key = str(made.json()["secret"])

    def read(self, credential: str) -> Request:
        """The organization, by whatever opens it."""
        return Request("GET", self.path, _bearer(credential))


def _bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}
