"""`flags`: evaluations a second, asked directly and through OpenFeature's client, against its in-memory provider."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from bench.processes import BenchFailed
from bench.product.house import Member, equipped, house_call, member, prepare
from bench.report import Figure, Goal, Outcome, compared, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry
from bench.turns import Hall, take_turns
from tenantry.flags import Flags, actions, flags_of
from tenantry.flags.models import Definition
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import OrgWork, SystemWork

DIRECT, CLIENT = "tenantry", "tenantry, OpenFeature client"
THEIRS_DIRECT, THEIRS = "in-memory provider", "in-memory provider, OpenFeature client"
KEYS = ("plain", "by_plan", "by_share")
BATCH = 1_000
ON_OFF: dict[str, Any] = {"kind": "boolean", "variants": {"on": True, "off": False}, "default": "off"}
RULES: dict[str, list[dict[str, Any]]] = {
    "plain": [],
    "by_plan": [{"variant": "on", "when": [{"about": "plan", "values": ["pro", "free"]}]}],
    "by_share": [{"split": [{"variant": "on", "weight": 50_000}]}],
}
Ask = Callable[[str], object]


def run(stage: Stage) -> Outcome:
    """A flag without rules, one by plan and one by a share, in turn: the same three everywhere."""
    outcome = Outcome("flags", "a flag without rules, one by plan, one by a share, in turn; one process")
    target, hall = Tenantry(stage.postgres, stage.cores), Hall(stage.postgres, stage.cores)
    target.install()
    target.migrate()
    with hall.runner:
        runtime, asks = hall.run(prepared(target))
        seconds = stage.options.seconds / 2
        measures = {
            name: (lambda own=own: hall.weigh(lambda _: over_and_over(own, seconds))) for name, own in asks.items()
        }
        rounds = take_turns(measures, stage.options.rounds)
        hall.run(runtime.stop())
    outcome.document = {**stage.facts([target]), "rounds": documents(rounds)}
    columns = {"evaluations/s": lambda one: one.rate, "CPU us": lambda one: one.server_us}
    outcome.tables += [compared(rounds, DIRECT, columns), *idle_core(rounds)]
    for name, least in ((DIRECT, 500_000), (CLIENT, 80_000)):
        reached = Figure.of([one.rate for one in rounds[name]]).middle
        outcome.goals.append(Goal(f"{name}: at least {least:,} evaluations/s", reached, reached >= least))
    found = ratio(rounds, DIRECT, THEIRS)
    outcome.document["ratios"] = {
        f"{DIRECT} / {THEIRS}": found.document(),
        f"{CLIENT} / {THEIRS}": ratio(rounds, CLIENT, THEIRS).document(),
        f"{DIRECT} / {THEIRS_DIRECT}": ratio(rounds, DIRECT, THEIRS_DIRECT).document(),
    }
    outcome.goals.append(Goal(f"asked directly at least 6 x {THEIRS}", found.middle, found.middle >= 6))
    return outcome


async def over_and_over(ask: Ask, seconds: float) -> int:
    """Ask for each flag in turn for so long; how often."""
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(BATCH):
            for key in KEYS:
                ask(key)
        done += BATCH * len(KEYS)
    return done


async def prepared(target: Tenantry) -> tuple[Runtime, dict[str, Ask]]:
    """The same flags in the database and in OpenFeature's memory, and each way to ask for them."""
    await prepare(target.address.url)
    runtime, _ = equipped(target.env)
    async with SystemWork(house_call(runtime), reason="a bench needs flags") as work:
        for key, rules in RULES.items():
            await actions.put_flag(work, key=key, definition=msgspec.convert(ON_OFF | {"rules": rules}, Definition))
    own = await member(runtime, 1)
    flags = await as_member(own)
    ours, theirs_direct, theirs = await openfeature(runtime, flags)
    return runtime, {DIRECT: flags.is_on, CLIENT: ours, THEIRS_DIRECT: theirs_direct, THEIRS: theirs}


async def as_member(own: Member) -> Flags:
    """All flags as somebody in an organization has them."""
    async with OrgWork(own.call, own.org, reading=True) as work:
        return await flags_of(work)


async def openfeature(runtime: Runtime, flags: Flags) -> tuple[Ask, Ask, Ask]:
    """Its client on our provider, its in-memory provider by itself, and its client on that."""
    try:
        # late: the SDK is an extra, and the other benches do without it
        from bench.peers.openfeature import asking  # noqa: PLC0415
    except ImportError as error:
        raise BenchFailed("openfeature-sdk is missing") from error
    return await asking(runtime, flags, KEYS)
