"""Floods: fifty thousand jobs of one organization, and another's that starts within five seconds."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from queue_kit import ask_in, stand, statement, working
from queue_trial import Seen

from patience import until
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import Pace
from tenantry.foundation.runtime import Runtime

FLOOD = """
    set local role tenantry_system;
    insert into tenantry.jobs (id, kind, queue, org_id, group_key, args)
    select gen_random_uuid(), '{kind}', '{queue}', '{org}', {group}, '{{"name": "flood"}}'
      from generate_series(1, 50000) as n
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("queue", "group"),
    [("default", "null"), ("shared", "null"), ("ordered", "'one'"), ("ordered", "'g' || n")],
    ids=["unlimited", "limited", "in one group", "in as many groups"],
)
async def test_a_flood_in_one_organization_lets_anothers_job_start_within_five_seconds(
    runtime: Runtime, seen: Seen, dsn: str, queue: str, group: str
) -> None:
    kind = "queue_trial.nothing" if queue == "default" else f"queue_trial.{queue}"
    await statement(dsn, FLOOD.format(kind=kind, queue=queue, org=UUID(int=1), group=group))
    async with working(runtime, Pace(grace=0.5), concurrency=20) as worker:
        await until(lambda: len(seen.runs) > 20)
        quiet = NewJob("queue_trial.greet", '{"name": "quiet"}') if queue == "default" else stand(queue, "quiet")
        asked = time.monotonic()
        await ask_in(runtime, 2, quiet)
        await until(lambda: "quiet" in seen.names, within=5)
        assert time.monotonic() - asked < 5
        assert worker._crew is not None
