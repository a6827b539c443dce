"""A crowd: one organization floods the queue, and jobs of others are asked for behind it."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

from bench.jobs.serving import Serving, anew, asking
from bench.product.house import ask, house_call
from bench.product.jobs import BUSY, STAMP, Numbered
from bench.report import Figure, Goal, Outcome
from bench.stage import Stage
from bench.subject import Tenantry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

FLOOD, FLOOD_QUICK = 50_000, 3_000
OTHERS = 5
UNDER_WAY = 200


def crowded(stage: Stage, outcome: Outcome, target: Tenantry) -> None:
    """Seconds until another organization's job begins, while a flood of a millisecond's work each is being done."""
    anew(stage, target)
    count = FLOOD_QUICK if stage.options.quick else FLOOD
    asking(stage, target, lambda runtime: ask(runtime, count, BUSY, org=uuid4()))
    with Serving(stage, target) as serving:
        waits, left = asking(stage, target, lambda runtime: behind(runtime, serving, count))
    waited = Figure.of(waits)
    outcome.document["flood"] = {"jobs": count, "left": left, "others_waited_s": waited.document()}
    outcome.tables.append(
        f"  behind {count:,} jobs of one organization, others waited {waited.text(' s')}; {left:,} of them were left"
    )
    met = waited.greatest <= 5 and left > 0
    outcome.goals.append(Goal("another organization's job begins within 5 s", waited.greatest, met))


async def behind(runtime: Runtime, serving: Serving, flood: int) -> tuple[list[float], int]:
    """Once the flood is under way, ask for others' jobs one by one; their waits, and what is left of the flood."""
    async with asyncio.timeout(60):
        while serving.read()["done"] < UNDER_WAY:  # noqa: ASYNC110  (another process has no event)
            await asyncio.sleep(0.05)
    waits = []
    for number in range(OTHERS):
        asked = time.monotonic()
        async with SystemWork(house_call(runtime).within(uuid4()), reason="a bench asks for a job") as work:
            work.enqueue(NewJob.of(STAMP, Numbered(number)))
        began = await serving.began(range(number, number + 1))
        waits.append(began[number] - asked)
    return waits, flood - int(serving.read()["done"])
