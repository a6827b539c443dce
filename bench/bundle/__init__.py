"""`bundle`: one commit of row, event, details, audit row and jobs, against as many statements and one bare row."""

from __future__ import annotations

from typing import Any

import asyncpg

from bench.bundle.trips import trips
from bench.product.actions import NAME, make_thing
from bench.product.house import Member, equipped, member, prepare
from bench.report import Goal, Outcome, Rounds, compared, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import POOL
from bench.turns import Hall, Step, take_turns
from tenantry.foundation.bundle import PARTS, Bundle, statement
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.work import OrgWork

BARE, EMPTY, BUNDLED, APART = "bare row", "empty work", "bundle", "apart"
INSERT = "insert into bench.things (org_id, id, name) values ($1, $2, $3)"
COLUMNS = {
    "commits/s": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "client CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
    "p50 ms": lambda one: one.latency_ms["p50"],
    "p99 ms": lambda one: one.latency_ms["p99"],
}


def run(stage: Stage) -> Outcome:
    """Commits a second of each, taking turns; then what each verb asks of the database."""
    outcome = Outcome("bundle", f"a row, an event and all beside it, {POOL} connections, one process")
    target, hall = Tenantry(stage.postgres, stage.cores), Hall(stage.postgres, stage.cores)
    target.install()
    target.migrate()
    with hall.runner:
        # first, while there are no jobs of others to be done before a mail is sent
        table, counted = hall.run(trips(target))
        steps = hall.run(prepared(target))
        seconds = stage.options.seconds * 0.75
        measures = {name: (lambda own=own: hall.measure(own, seconds)) for name, own in steps.items()}
        rounds = take_turns(measures, stage.options.rounds)
    outcome.document = {**stage.facts([target]), "rounds": documents(rounds), "round_trips": counted}
    outcome.tables += [compared(rounds, BUNDLED, COLUMNS), *idle_core(rounds), table]
    judge(outcome, rounds)
    return outcome


def judge(outcome: Outcome, rounds: Rounds) -> None:
    """At least twice the rate of separate statements, at least 0.3 of a bare row's."""
    for other, least in ((APART, 2.0), (BARE, 0.3)):
        reached = ratio(rounds, BUNDLED, other)
        outcome.document.setdefault("ratios", {})[other] = reached.document()
        outcome.goals.append(Goal(f"bundle at least {least:g} x {other}", reached.middle, reached.middle >= least))


async def prepared(target: Tenantry) -> dict[str, list[Step]]:
    """One step for each connection and each way."""
    environ = target.env | {"TENANTRY_DATABASE_POOL": str(POOL), "TENANTRY_RATE_LIMITS": "off"}
    await prepare(target.address.url)
    runtime, _ = equipped(environ)
    members = [await member(runtime, number) for number in range(POOL)]
    connections = [await as_house(target.address.url) for _ in members]
    pairs = zip(members, connections, strict=True)
    return {
        BARE: [bare(connection, own) for own, connection in pairs],
        BUNDLED: [made(own, Bundle) for own in members],
        APART: [made(own, OneByOne) for own in members],
        EMPTY: [empty(own) for own in members],
    }


async def as_house(url: str) -> Any:
    """A connection whose role row security lets through: there is nothing cheaper for a tenant's table."""
    connection = await asyncpg.connect(url, timeout=10)
    await connection.execute("set role tenantry_system")
    return connection


def bare(connection: Any, own: Member) -> Step:
    """A row and nothing else, committed by itself; row security has nothing to look up for it."""

    async def step() -> None:
        await connection.execute(INSERT, own.org, new_id(), NAME)

    return step


def empty(own: Member) -> Step:
    """A work that is opened and committed with nothing in it: what a live session and a commit cost."""

    async def step() -> None:
        async with OrgWork(own.call, own.org):
            pass

    return step


def made(own: Member, kind: type[Bundle]) -> Step:
    """The same row by a verb, with its event, two details, an audit row and two jobs."""

    async def step() -> None:
        work = OrgWork(own.call, own.org)
        work._bundle = kind()
        async with work:
            await make_thing(work)

    return step


class OneByOne(Bundle):
    """The same rows as the bundle's, each by a statement of its own."""

    async def write(self, connection: Any) -> None:
        for place, rows in enumerate(self.parts):
            shape = tuple(int(place == other) for other in range(len(PARTS)))
            for row in rows:
                await connection.execute(statement(shape), *row)
