"""A domain for the tests of the log: events of three ages, and consumers that keep what they were given in a table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tenantry import ConsumerWork, Event, Logged, consumer, run
from tenantry.foundation.data.sql import many

TABLES = """
create table tenantry.tally (generation smallint not null, consumer text not null, event uuid not null, n integer);
create index tally_of_generation on tenantry.tally (generation, consumer);
grant select, insert, delete on tenantry.tally to tenantry_system;
grant select on tenantry.tally to tenantry_app;
"""


class Added(Event, frozen=True):
    """A number was added."""

    kind = "log_trial.added"
    n: int


class Renamed(Event, frozen=True):
    """A thing got another name, which was its only field once, and had no length once."""

    kind = "log_trial.renamed"
    version = 3
    upcasts = {  # noqa: RUF012  (a class's own)
        1: lambda old: {"name": old["title"]},
        2: lambda old: {**old, "length": len(old["name"])},
    }
    name: str
    length: int


keep = run("insert into tenantry.tally select :generation, :consumer, unnest(:events::uuid[]), unnest(:numbers::int[])")
clear_tally = run("""
    delete from tenantry.tally
     where ctid = any (array(select ctid from tenantry.tally
                              where generation = :generation and consumer = 'log_trial.tally' limit :most))
""")


class Behaviour:
    """What goes wrong with the consumers, as a test says."""

    def __init__(self) -> None:
        self.poison: set[int] = set()
        self.fail_once = False
        self.hold: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.batches: list[int] = []


behaviour = Behaviour()


async def _keep(work: ConsumerWork, happened: Sequence[Logged], name: str) -> None:
    numbers = [one.event.n for one in happened if isinstance(one.event, Added)]
    ids = [one.public_id for one in happened if isinstance(one.event, Added)]
    await keep(work, generation=work.generation, consumer=name, events=ids, numbers=numbers)


@consumer(Added, clear=clear_tally, batch=100)
async def tally(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Keep each number that was added."""
    behaviour.batches.append(len(happened))
    await _keep(work, happened, "log_trial.tally")
    behaviour.entered.set()
    if behaviour.hold is not None:
        await behaviour.hold.wait()
    if behaviour.fail_once:
        behaviour.fail_once = False
        raise RuntimeError("between the effect and the commit")
    if any(one.event.n in behaviour.poison for one in happened if isinstance(one.event, Added)):
        raise ValueError("poison")


@consumer(Added)
async def beside(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Keep the same, and keep no generations."""
    await _keep(work, happened, "log_trial.beside")


@consumer(Renamed, start="now")
async def late(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Keep how long names are, from now on."""
    ids = [one.public_id for one in happened]
    lengths = [one.event.length for one in happened if isinstance(one.event, Renamed)]
    await keep(work, generation=work.generation, consumer="log_trial.late", events=ids, numbers=lengths)


read_now = many(
    tuple,
    "select n from tenantry.tally where generation = (select tenantry.generation('log_trial.tally'))",
)
