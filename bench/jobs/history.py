"""An old queue: what a million jobs that ended badly, and as many reports, do to those to be done now (`--history`)."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import replace
from statistics import median

import asyncpg

from bench.jobs.queues import drained, ours
from bench.jobs.serving import anew
from bench.report import Goal, Outcome, ratio
from bench.stage import Stage
from bench.subject import Tenantry

OLD = "tenantry_old"
LETTERS, LETTERS_QUICK = 1_000_000, 10_000
# long before any of the jobs that are done now
REPORTED = """
    insert into tenantry.job_reports (asked_at, id, kind, state, attempt, ended_at)
    select now() - number * interval '1 second', gen_random_uuid(), 'bench.noop', 'done', 1, now()
      from generate_series(1, $1) as number
"""
BURIED = """
    insert into tenantry.dead_letters (id, asked_at, run_at, priority, version, attempt, max_attempts, kind, queue,
                                       request_id, reason, args)
    select gen_random_uuid(), now(), now(), 0, 1, 25, 25, 'bench.noop', 'default', 'bench', 'seeded', '{}'
      from generate_series(1, $1)
"""


def grown_old(stage: Stage, outcome: Outcome, target: Tenantry) -> None:
    """The drain beside a million dead letters and without: its rate, and how long a claim takes."""
    old = copy(target)
    anew(stage, target)
    anew(stage, old, OLD)
    count = LETTERS_QUICK if stage.options.quick else LETTERS
    asyncio.run(bury(old.address.url, count))
    queues = [ours(target), replace(ours(old), name=OLD)]
    seconds, rounds = stage.options.seconds / 2, stage.options.rounds
    found = drained(queues, stage.postgres, stage.cores, seconds=seconds, rounds=rounds)
    share = ratio(found, OLD, target.name).middle
    claim = median(one.latency_ms["p99"] for one in found[OLD])
    outcome.document["history"] = {"dead_letters": count, "share": share, "claim_p99_ms": claim}
    beside = f"{count:,} dead letters and as many reports"
    outcome.tables.append(f"  beside {beside}: {share:.2f} of the rate, claims p99 {claim:.1f} ms")
    outcome.goals.append(Goal("claims p99 at most 10 ms beside a long history", claim, claim <= 10))


async def bury(url: str, count: int) -> None:
    """Put so many dead letters and reports into their tables."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("set role tenantry_system")
        for statement in (BURIED, REPORTED):
            await connection.execute(statement, count, timeout=600)
    finally:
        await connection.close()
