"""Work for a worker that dies at it, and the account of it: each grain ground once, sifted once, counted once.

Everything that the queue, the schedules, the consumers and the audit log promise shows in the mill's tables, because
each effect leaves a row. The account is of all grain ever brought here, so that what a death breaks later is seen too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from mill import actions
from mill.domain import domain as mill
from tenantry.assemble import DOMAINS
from tenantry.foundation import housekeeping
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.lease import QueueWork, rescue
from tenantry.foundation.work import SystemWork
from tenantry.testing import Databases

from .app import PATIENCE, Program, Stage, environment, eventually, of_a_request, staged
from .crash_points import Victim, Window

TESTS = Path(__file__).parent.parent
ENTRY = "[tenantry.plugins]\nmill = mill.domain:domain\n"
ANNOUNCED = "Metadata-Version: 2.1\nName: tenantry-mill\nVersion: 1\n"
HEALED_WITHIN = 10.0
BROUGHT_AT_ONCE = 3
NOBODY_HOLDS_IT = "update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second'"
UNDONE = """
    select (select count(*) from mill.grains) * 3 - (select count(*) from mill.flour)
         - (select count(distinct event_id) from mill.tally) as undone
"""
WRONG = """
    with flour as (select grain_id, how, count(*) as times from mill.flour group by 1, 2)
    select 'made twice: ' || how as what from flour where times > 1
     union all
    select 'not ' || way.how
      from mill.grains
     cross join (values ('ground'), ('sifted')) as way (how)
     where not exists (select from flour where grain_id = grains.id and flour.how = way.how)
     union all
    select 'made of nothing' from flour where grain_id not in (select id from mill.grains)
     union all
    select 'counted twice' from mill.tally group by generation, event_id having count(*) > 1
     union all
    select 'not counted' from tenantry.events
     where kind = 'mill.grain_brought' and public_id not in (select event_id from mill.tally)
     union all
    select 'rung twice' from mill.rings group by tick having count(*) > 1
     union all
    select 'not rung'
      from (select tick, lead(tick) over (order by tick) as next from mill.rings) as rung
     where next > tick + interval '2 seconds'
     union all
    select 'no event of flour'
     where (select count(*) from tenantry.events where kind = 'mill.flour_made') <> (select count(*) from mill.flour)
     union all
    select 'no audit row of ' || kind
      from tenantry.events
     where kind like 'mill.%' and not exists (select from tenantry.audit_log where id = events.public_id)
     union all
    select 'an audit row of nothing' from tenantry.audit_log
     where action like 'mill:%' and id not in (select public_id from tenantry.events)
     union all
    select 'a dead letter of ' || kind from tenantry.dead_letters
     union all
    select 'a report that says ' || state from tenantry.job_reports where state <> 'done'
"""


@asynccontextmanager
async def milling(server_url: str, folder: Path) -> AsyncIterator[Stage]:
    """A stage with the mill, whose `command` is its worker."""
    databases = Databases(server_url, plugins=[mill])
    await databases.prepare()
    registry = Registry((*DOMAINS, mill), jobs=housekeeping)
    try:
        async with staged(databases, registry, folder) as stage:
            stage.command = worker_of(stage, folder)
            yield stage
            await stage.command.kill()
    finally:
        await databases.forget()


def worker_of(stage: Stage, folder: Path, *, name: str = "worker", **settings: str) -> Program:
    """A worker that knows the mill and reaches its database through the proxy."""
    shelf = folder / "shelf"
    info = shelf / "tenantry_mill-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(ANNOUNCED)
    (info / "entry_points.txt").write_text(ENTRY)
    known = environment(stage.through, folder, 1) | {"TENANTRY_PLUGINS": "mill", "PYTHONPATH": f"{TESTS}:{shelf}"}
    return Program(("worker",), known | settings, folder / f"{name}.log")


async def bring(stage: Stage, grains: int = BROUGHT_AT_ONCE) -> None:
    """Bring grain, past the proxy: a commit each."""
    call = Call(stage.behind.runtime, Actor("job"), "a-trial")
    for _ in range(grains):
        async with SystemWork(call, reason="a trial") as work:
            await actions.bring(work)


async def all_done(stage: Stage) -> bool:
    """Whether all that was brought has been ground, sifted and counted; whatever was too much is seen later."""
    return bool(await stage.value(UNDONE) <= 0)


async def assert_right(stage: Stage) -> None:
    """Fail unless each thing was done exactly once; what is done last may still be on its way."""

    async def right() -> bool:
        return not await stage.rows(WRONG)

    try:
        await eventually(right, HEALED_WITHIN)
    except AssertionError as late:
        wrong = [row[0] for row in await stage.rows(WRONG)]
        raise AssertionError("\n".join([*sorted(set(wrong)), *stage.command.lines()[-20:]])) from late


class Toil:
    """Grain is brought, and a worker that is started for it dies; `victim` is who dies, by default the worker."""

    def __init__(self, stage: Stage, victim: Victim | None = None) -> None:
        self.stage, self.worker, self._victim = stage, stage.command, victim

    async def prepare(self) -> None:
        await self.worker.kill()
        await self._nobody_holds_it()
        await bring(self.stage)

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.stage.proxy.window(watch=of_a_request)

    async def act(self, client: None) -> None:
        self.worker.start()

        async def over() -> bool:
            return not self.worker.running or await all_done(self.stage)

        await eventually(over, PATIENCE)

    async def victim(self) -> None:
        await (self._victim or self.worker.kill)()

    async def restart(self) -> None:
        if self._victim is None:
            # how long a lease is left to the dead is the queue's own test
            await self._nobody_holds_it()
            self.worker.start()

    async def check(self, outcome: None) -> None:
        """By itself, and soon, everything is done once."""
        await eventually(lambda: all_done(self.stage), PATIENCE if self._victim is None else HEALED_WITHIN)
        await assert_right(self.stage)

    async def _nobody_holds_it(self) -> None:
        await self.stage.rows(NOBODY_HOLDS_IT + " returning id")
        async with QueueWork(self.stage.behind.runtime, reason="a trial") as work:
            await rescue(work)
