"""Rates that the processes of an installation count together: what each has spent is added up in PostgreSQL.

The truth is the row of `tenantry.limits`. Every process goes on from it by itself and, a few times a second, tells in
one statement what it has spent since and hears what is true by now. Where all of them together let too many through in
the meantime, that is a debt in the row, which all of them wait for: in the long run the rate is kept. A database that
is away changes no answer; until it is back each process counts for itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from time import monotonic

import msgspec
from asyncpg.exceptions import PostgresError
from prometheus_client import Counter

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.sql import many
from tenantry.foundation.logs import get_logger
from tenantry.foundation.problems import Problem
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.rates.counted import EVERY, Spending
from tenantry.foundation.security.rates.of_orgs import relearn
from tenantry.foundation.security.turns import TurnWork

WITHIN = 2.0
"""Seconds that a process waits to hear from PostgreSQL what was spent elsewhere; then it counts on alone."""
AT_ONCE = 500
AT_LEAST_BETWEEN = 0.02
"""Seconds between two such questions of a process, however much is spent."""
FORGOTTEN_EVERY = 60.0
SLOWEST = 5.0
HOUSE = Actor("house", name="rates")
log = get_logger("tenantry.rates")
syncs = Counter("tenantry_rates_shared", "Rates told to the other processes and heard of them.", ("outcome",))


class Depth(msgspec.Struct, frozen=True):
    """A row, and in how many seconds all its turns are back; less than none if they are."""

    key: str
    depth: float


# in the order of their keys, so that no two processes wait for each other crosswise
spend_and_read = many(
    Depth,
    """
    with told as (
        select key, spent * interval '1 second' as spent
          from unnest(:keys::text[], :spent::double precision[]) as told (key, spent)
    ), moved as (
        insert into tenantry.limits as kept (key, full_at)
        select key, tenantry.now() + spent
          from told
         where spent <> interval '0'
         order by key
            on conflict (key) do update
           set full_at = greatest(kept.full_at, tenantry.now()) + (excluded.full_at - tenantry.now())
        returning key, full_at
    ), read as (
        select limits.key, limits.full_at
          from told
          join tenantry.limits on limits.key = told.key
         where spent = interval '0'
    )
    select key, extract(epoch from full_at - tenantry.now())::double precision as depth
      from (select key, full_at from moved union all select key, full_at from read) as known
    """,
    not_null=("key", "depth"),
)


def attend(runtime: Runtime) -> None:
    """See to it that this process counts together with the others from now on."""
    rates = runtime.rates
    if rates.keeper is None or rates.keeper.done():
        rates.keeper = asyncio.create_task(_keep(runtime))


async def share(runtime: Runtime) -> int:
    """Tell once what was spent here, and go on from what is true; says of how many, or raises what kept it from it."""
    rates = runtime.rates
    passed = rates.since_told()
    taken = rates.take_due(AT_ONCE)
    if not taken:
        return 0
    try:
        async with asyncio.timeout(WITHIN):
            await _told(runtime, taken)
    except BaseException:
        # what was told and not answered is told twice: that refuses a little more, and for a moment only
        rates.keep(taken, passed=passed)
        raise
    return len(taken)


async def _told(runtime: Runtime, taken: Sequence[Spending]) -> None:
    rows = {runtime.buckets.row(f"rates.{one.zone}", one.subject): one for one in taken}
    call = Call(runtime, HOUSE, "rates")
    async with TurnWork(call, reason="whom a process counts belongs to no organization") as work:
        # its clock was read by the database a moment ago: only how far it is from there is believed, never which time
        at = runtime.rates.now()
        known = await spend_and_read(work, keys=list(rows), spent=[one.spent for one in rows.values()])
    depths = {row.key: row.depth for row in known}
    for key, one in rows.items():
        runtime.rates.learn(one, depth=depths.get(key, 0.0), at=at)


async def _keep(runtime: Runtime) -> None:
    """Share what is counted until the process ends; while that fails, seldom."""
    failures, forget_at = 0, monotonic() + FORGOTTEN_EVERY
    while True:
        await _pause(runtime, failures)
        failures = await _shared(runtime, failures)
        if monotonic() > forget_at:
            runtime.rates.forget()
            forget_at = monotonic() + FORGOTTEN_EVERY


async def _pause(runtime: Runtime, failures: int) -> None:
    jitter = random.uniform(0.8, 1.2)  # noqa: S311  (jitter)
    if failures:
        await asyncio.sleep(min(EVERY * 2**failures, SLOWEST) * jitter)
        return
    await asyncio.sleep(AT_LEAST_BETWEEN)
    hurry = runtime.rates.hurry
    try:
        async with asyncio.timeout(EVERY * jitter - AT_LEAST_BETWEEN):
            await hurry.wait()
    except TimeoutError:
        # nothing of size was spent
        return
    finally:
        hurry.clear()


async def _shared(runtime: Runtime, failures: int) -> int:
    """One round; says how many rounds have failed in a row."""
    try:
        told = await share(runtime)
        await relearn(runtime)
    except (Problem, PostgresError, OSError, TimeoutError) as error:
        syncs.labels("failed").inc()
        if not failures:
            log.warning("rates are counted by this process alone for now", why=type(error).__name__)
        return failures + 1
    if told:
        syncs.labels("done").inc()
    if failures and told:
        log.info("rates are counted together again")
    return failures if failures and not told else 0
