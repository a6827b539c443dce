"""Weights: an organization that weighs more has more of the queue, and never all of it."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from queue_kit import HANDLERS, ask_in, stand

from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.lease import Claimed
from tenantry.foundation.jobs.taking import Taker
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

NOTHING = NewJob("queue_trial.nothing")
LIGHT, HEAVY = 1, 2


async def weigh(runtime: Runtime, weight: int, until: str = "null") -> None:
    """Let one of two organizations weigh more."""
    async with SystemWork(Call(runtime, NOBODY, "req-1"), reason="a test") as work:
        for org in (LIGHT, HEAVY):
            await work.connection.execute(
                "insert into tenantry.orgs (id, name, slug) values ($1, 'Acme', $2)", UUID(int=org), f"acme-{org}"
            )
        given = f"insert into tenantry.job_weights (org_id, weight, until) values ($1, $2, {until})"
        await work.connection.execute(given, UUID(int=HEAVY), weight)


def shares(claimed: list[Claimed]) -> dict[int, int]:
    return dict(Counter(job.lane.int for job in claimed))


def taker_of(runtime: Runtime, queue: str) -> Taker:
    return Taker(runtime, [one for one in HANDLERS if one.queue == queue], worker=new_id(), lease=60.0)


async def test_an_open_queue_is_shared_by_weight(runtime: Runtime) -> None:
    await weigh(runtime, 3)
    for org in (LIGHT, HEAVY):
        await ask_in(runtime, org, *[NOTHING] * 100)
    assert shares(await taker_of(runtime, "default").take(40)) == {LIGHT: 10, HEAVY: 30}


@pytest.mark.parametrize("until", ["tenantry.now()", "tenantry.now() - interval '1 day'"])
async def test_a_weight_counts_until_it_ends(runtime: Runtime, until: str) -> None:
    await weigh(runtime, 3, until)
    for org in (LIGHT, HEAVY):
        await ask_in(runtime, org, *[NOTHING] * 100)
    assert shares(await taker_of(runtime, "default").take(40)) == {LIGHT: 20, HEAVY: 20}


async def test_whoever_weighs_most_leaves_something_to_the_others(runtime: Runtime) -> None:
    await weigh(runtime, 100)
    for org in (LIGHT, HEAVY):
        await ask_in(runtime, org, *[NOTHING] * 100)
    assert shares(await taker_of(runtime, "default").take(20))[LIGHT] == 1


async def test_the_places_of_a_limited_queue_are_shared_by_weight(runtime: Runtime) -> None:
    await weigh(runtime, 3)
    for org in (LIGHT, HEAVY):
        await ask_in(runtime, org, *[stand("shared", f"{org} {number}") for number in range(20)])
    taker = taker_of(runtime, "shared")
    assert shares(await taker.take(20)) == {LIGHT: 1, HEAVY: 3}
