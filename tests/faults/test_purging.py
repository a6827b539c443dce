"""An organization's purge goes on wherever its worker is killed, and takes all of that one and nothing of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from uuid import UUID

import pytest

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.lease import QueueWork, rescue
from tenantry.foundation.work import SystemWork

from .app import PATIENCE, Stage, eventually, of_a_request
from .crash_points import Point, Window, enumerate_points, sample, visit_all
from .flows.people import somebody
from .proxy import Speech

SHARE = 0.06
DUE = """
    update tenantry.orgs
       set closed_at = tenantry.now() - interval '31 days', purge_at = tenantry.now() - interval '1 day'
     where id = $1
"""
ROWS = """
    with happened as (
        insert into tenantry.events (public_id, org_id, kind, version, payload, actor, request_id)
        select gen_random_uuid(), $1, 'trial.happened', 1, '{}', '{}', 'a-trial' from generate_series(1, 50)
    )
    insert into tenantry.dead_letters (id, asked_at, run_at, org_id, priority, version, attempt, max_attempts, kind,
                                       queue, request_id, reason, args)
    select gen_random_uuid(), tenantry.now(), tenantry.now(), $1, 0::smallint, 1::smallint, 1, 25, 'trial.dead',
           'nobodys', 'a-trial', 'a trial', '{}'
      from generate_series(1, 50)
"""
LEFT = """
    select 'orgs' as part, count(*) as number from tenantry.orgs where id = $1
     union all select 'slugs', count(*) from tenantry.org_slugs where org_id = $1
     union all select 'members', count(*) from tenantry.members where org_id = $1
     union all select 'events', count(*) from tenantry.events where org_id = $1
     union all select 'jobs', count(*) from tenantry.jobs where org_id = $1
     union all select 'dead letters', count(*) from tenantry.dead_letters where org_id = $1
"""
NOBODY_HOLDS_IT = "update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second'"
PURGED = "select from tenantry.events where kind = 'orgs.org_purged' and payload ->> 'purged_id' = $1"


@dataclass(frozen=True)
class Two:
    """An organization whose time is over, another that goes on, and how much there is of that one."""

    doomed: UUID
    other: UUID
    of_other: dict[str, int]


def of_a_job(speech: Speech) -> bool:
    """Whether a connection claims, runs or finishes jobs; what else a worker does beside it is not of the purge."""
    return of_a_request(speech) and "enable_seqscan=off" in speech.opening and "read only" not in speech.opening


class Purging:
    """The purge of one organization by a worker that dies somewhere in it."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.worker = stage, stage.command
        self.worker.words = ("worker",)

    async def prepare(self) -> Two:
        await self.worker.kill()
        doomed, other = await self._founded(), await self._founded()
        await self.stage.behind.drain_jobs()
        await self.stage.rows(DUE, doomed)
        call = Call(self.stage.behind.runtime, Actor("job"), "a-trial")
        async with SystemWork(call, reason="a trial") as work:
            work.enqueue(NewJob("orgs.ask_for_purges"))
        return Two(doomed, other, await self._left(other))

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.stage.proxy.window(watch=of_a_job)

    async def act(self, client: Two) -> Two:
        self.worker.start()

        async def over() -> bool:
            return not self.worker.running or await self._is_gone(client.doomed)

        await eventually(over, PATIENCE)
        return client

    async def victim(self) -> None:
        await self.worker.kill()

    async def restart(self) -> None:
        # how long a lease is left to the dead, and how soon that is seen, is the queue's own test
        await self.stage.rows(NOBODY_HOLDS_IT)
        async with QueueWork(self.stage.behind.runtime, reason="a trial") as work:
            await rescue(work)
        self.worker.start()

    async def check(self, outcome: Two) -> None:
        await eventually(lambda: self._is_gone(outcome.doomed), PATIENCE)
        await self.worker.kill()
        assert set((await self._left(outcome.doomed)).values()) == {0}
        assert await self._left(outcome.other) == outcome.of_other
        assert len(await self.stage.rows(PURGED, str(outcome.doomed))) == 1

    async def _founded(self) -> UUID:
        person = await somebody(self.stage)
        org_id = ORG_ID.read((await person.post("/v1/orgs", {"name": "Acme"})).json["id"])
        assert org_id is not None
        await self.stage.rows(ROWS, org_id)
        return org_id

    async def _is_gone(self, org_id: UUID) -> bool:
        return (await self._left(org_id))["orgs"] == 0

    async def _left(self, org_id: UUID) -> dict[str, int]:
        return {part: int(number) for part, number in await self.stage.rows(LEFT, org_id)}


@pytest.fixture
def few(request: pytest.FixtureRequest) -> Callable[[Sequence[Point]], list[Point]]:
    """Each point with --all-faults, else a few: each costs two starts of a worker."""
    return list if request.config.getoption("--all-faults") else lambda points: sample(points, SHARE)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_purge_goes_on_wherever_its_worker_is_killed(
    stage: Stage, few: Callable[[Sequence[Point]], list[Point]]
) -> None:
    purging = Purging(stage)
    points = await enumerate_points(purging, by_turn=True)
    assert any("delete from tenantry.orgs" in point.unit.sql for point in points)
    await visit_all(purging, few(points))
    with suppress(ProcessLookupError):
        await purging.worker.kill()
