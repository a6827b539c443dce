"""A backlog of notices, shuffled and with repetitions, applied by one worker; then each row beside the stand-in's."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from bench.cores import pinned
from bench.jobs.serving import anew, asking
from bench.load import ROOT
from bench.notices.told import KINDS, SETTINGS, event, subscription
from bench.processes import BenchFailed, Program, start
from bench.product.house import house_call, member
from bench.report import Goal, Outcome, table
from bench.stage import Stage
from bench.subject import TENANTRY, Tenantry
from bench.targets import FOLDER, LOGS
from tenantry.billing import actions
from tenantry.billing.models import Told
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

EVENTS, QUICK_EVENTS = 50_000, 1_000
EACH = 10
"""Events of one subscription."""
TWICE = 0.2
"""Share of the backlog that comes twice."""
LEAST = 200
SIDE_BY_SIDE, A_COMMIT = 16, 500
PATIENCE = 900.0
LOOK_AGAIN = 0.05
LEFT = """
    select (select count(*) from tenantry.jobs where kind = 'billing.apply_notice')
           + (select count(*) from tenantry.job_runs where kind = 'billing.apply_notice')
"""
ROWS = """
    select id, customer_id, status, quantity, price_id, cancel_at_period_end, period_end, ended_at, latest_invoice_id
      from tenantry.subscriptions
     order by id
"""
STATES = "select state, count(*) from tenantry.stripe_notices group by state"


def drained(stage: Stage, outcome: Outcome) -> None:
    """Fill, drain, compare."""
    events = QUICK_EVENTS if stage.options.quick else EVENTS
    subscriptions = events // EACH
    target = Tenantry(stage.postgres, stage.cores)
    target.install()
    with standin(stage, subscriptions) as (port, asked):
        target.extra = {**SETTINGS, "TENANTRY_STRIPE_API_BASE": f"http://127.0.0.1:{port}"}
        anew(stage, target, "tenantry_notices")
        asking(stage, target, lambda runtime: fill(runtime, events, subscriptions))
        seconds, cpu = worked(stage, target, events)
        asyncio.run(compare(target.address.url, subscriptions, events))
        questions = asked()
    rate = events / seconds
    figures = [rate, cpu / events * 1e6, questions / subscriptions]
    outcome.tables.append(
        table(
            [
                ["", "events/s", "worker CPU us", "questions a subscription"],
                ["backlog", *(f"{one:,.1f}" for one in figures)],
            ]
        )
    )
    outcome.document["backlog"] = {
        "events": events, "subscriptions": subscriptions, "seconds": seconds, "rate": rate, "worker_cpu": cpu,
        "questions": questions,
    }  # fmt: skip
    outcome.goals.append(Goal(f"at least {LEAST} events of a backlog a second", rate, rate >= LEAST))


@contextmanager
def standin(stage: Stage, count: int) -> Iterator[tuple[int, Any]]:
    """The stand-in's process: its port, and how to end it and hear how often it was asked."""
    with pinned(stage.cores.others):
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.notices.standin", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=ROOT,
        )  # fmt: skip
    assert child.stdin
    assert child.stdout

    def asked() -> int:
        child.stdin.close()  # type: ignore[union-attr]
        return int(child.stdout.readline())  # type: ignore[union-attr]

    try:
        yield int(child.stdout.readline()), asked
    finally:
        child.kill()
        child.wait(10)


async def fill(runtime: Runtime, events: int, subscriptions: int) -> None:
    """An organization for each customer, and the backlog as it came: in no order, some of it twice."""
    for first in range(0, subscriptions, SIDE_BY_SIDE):
        numbers = range(first, min(subscriptions, first + SIDE_BY_SIDE))
        await asyncio.gather(*(_customer(runtime, number) for number in numbers))
    chance = random.Random(6)
    told = [event(number % subscriptions, chance.choice(KINDS)) for number in range(events)]
    told += chance.sample(told, round(events * TWICE))
    chance.shuffle(told)
    for first in range(0, len(told), A_COMMIT):
        async with SystemWork(house_call(runtime), reason="a bench is told something") as work:
            for one in told[first : first + A_COMMIT]:
                await actions.keep_notice(work, told=msgspec.convert(one, Told), payload=json.dumps(one))


async def _customer(runtime: Runtime, number: int) -> None:
    owner = await member(runtime, number)
    async with SystemWork(house_call(runtime), reason="a bench needs a customer") as work:
        await work.connection.execute(
            "insert into tenantry.stripe_customers (org_id, customer_id, livemode) values ($1, $2, false)",
            owner.org,
            f"cus_{number}",
        )


def worked(stage: Stage, target: Tenantry, events: int) -> tuple[float, float]:
    """Seconds from the first event applied to the last, and the CPU seconds of the worker."""
    worker = start(
        [TENANTRY, "worker"], log=LOGS / "tenantry-notices.log", cores=stage.cores.server, env=target.env, cwd=FOLDER
    )
    try:
        return asyncio.run(_until_none_is_left(target.address.url, worker, events))
    finally:
        worker.stop()


async def _until_none_is_left(url: str, worker: Program, events: int) -> tuple[float, float]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("vacuum analyze", timeout=300)
        await connection.execute("set role tenantry_system")
        deadline, began, before = time.monotonic() + PATIENCE, 0.0, 0.0
        while (left := await connection.fetchval(LEFT, timeout=60)) > 0:
            if not began and left < events:
                began, before = time.monotonic(), worker.cpu_seconds()
            if time.monotonic() > deadline or worker.child.poll() is not None:
                raise BenchFailed(f"{left} notices are left\n{worker.tail()}")
            await asyncio.sleep(LOOK_AGAIN)
        return time.monotonic() - began, worker.cpu_seconds() - before
    finally:
        await connection.close()


async def compare(url: str, subscriptions: int, events: int) -> None:
    """Fail unless every row is the stand-in's, and every event applied."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("set role tenantry_system")
        rows = {row["id"]: tuple(row) for row in await connection.fetch(ROWS, timeout=60)}
        states = dict(tuple(row) for row in await connection.fetch(STATES, timeout=60))
    finally:
        await connection.close()
    expected = {f"sub_{number}": _row(number) for number in range(subscriptions)}
    different = [name for name, row in expected.items() if rows.get(name) != row]
    if different or len(rows) != subscriptions or states != {"applied": events}:
        raise BenchFailed(f"{len(different)} rows are not the stand-in's, of {len(rows)}; notices are {states}")


def _row(number: int) -> tuple[Any, ...]:
    told = subscription(number)
    [item] = told["items"]["data"]
    return (
        told["id"], told["customer"], told["status"], item["quantity"], item["price"]["id"],
        told["cancel_at_period_end"], _moment(item["current_period_end"]), _moment(told["ended_at"]), f"in_{number}",
    )  # fmt: skip


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
