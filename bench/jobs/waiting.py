"""An idle queue: how soon a job begins that is asked for now, and how often an idle worker asks for one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import asyncpg

from bench.jobs.serving import Serving, anew, asking
from bench.product.house import house_call
from bench.product.jobs import STAMP, Numbered
from bench.report import Goal, Outcome, table
from bench.stage import Stage
from bench.subject import Tenantry
from bench.turns import percentiles
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

WARM, SAMPLES, PAUSE = 20, 150, 0.03
IDLE, IDLE_QUICK = 30.0, 5.0
SETTLING = 3.0
TRANSACTIONS = "select xact_commit + xact_rollback from pg_stat_database where datname = $1"


def woken(stage: Stage, outcome: Outcome, target: Tenantry) -> None:
    """From asking in a Work, in another process, to the handler's first line; and the same from its commit."""
    anew(stage, target)
    with Serving(stage, target) as serving:
        whole, rest = asking(stage, target, lambda runtime: knock(runtime, serving))
    figures = {"from asking": percentiles(whole), "from the commit": percentiles(rest)}
    lines = [[name, f"p50 {found['p50']:.2f} ms", f"p99 {found['p99']:.2f} ms"] for name, found in figures.items()]
    outcome.tables.append(table([["an idle worker's job begins", "", ""], *lines]))
    outcome.document["idle_pickup_ms"] = figures
    reached = figures["from asking"]["p50"]
    outcome.goals.append(Goal("idle pickup p50 at most 4 ms, from asking", reached, reached <= 4))


async def knock(runtime: Runtime, serving: Serving) -> tuple[list[float], list[float]]:
    """Ask for a job at a time; the seconds until each began, from its asking and from its commit."""
    asked, committed, call = {}, {}, house_call(runtime)
    for number in range(WARM + SAMPLES):
        asked[number] = time.monotonic()
        async with SystemWork(call, reason="a bench asks for a job") as work:
            work.enqueue(NewJob.of(STAMP, Numbered(number)))
        committed[number] = time.monotonic()
        await asyncio.sleep(PAUSE)
    counted = range(WARM, WARM + SAMPLES)
    began = await serving.began(range(WARM + SAMPLES))
    return [began[one] - asked[one] for one in counted], [began[one] - committed[one] for one in counted]


def idle(stage: Stage, outcome: Outcome, target: Tenantry) -> None:
    """Messages that a worker with nothing to do sends, and transactions that the server counts meanwhile."""
    seconds = IDLE_QUICK if stage.options.quick else IDLE
    with Serving(stage, target) as serving:
        # the start asks more: schedules are begun, connections made
        time.sleep(SETTLING)
        serving.read()
        before = transactions(stage, target)
        time.sleep(seconds)
        said = serving.read()["said"]
        counted = transactions(stage, target) - before
    rate = len(said) / seconds
    kinds = [[f"{count / seconds:.2f}/s", words] for words, count in Counter(said).most_common(8)]
    outcome.tables.append(table([["an idle worker says", ""], *kinds]))
    outcome.document["idle"] = {"queries": rate, "transactions": counted / seconds, "said": kinds}
    outcome.tables.append(f"  idle: {rate:.2f} queries/s in {counted / seconds:.2f} transactions/s")
    outcome.goals.append(Goal("at most 2 idle queries/s", rate, rate <= 2))


def transactions(stage: Stage, target: Tenantry) -> int:
    """What the server has counted in the worker's database, asked from another one."""

    async def ask() -> int:
        connection = await asyncpg.connect(stage.postgres.address.url, timeout=10)
        try:
            return int(await connection.fetchval(TRANSACTIONS, target.address.name))
        finally:
            await connection.close()

    return asyncio.run(ask())
