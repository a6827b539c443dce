"""When API keys were used last: gathered in memory, written once a minute a key at most, never by a request itself.

The one statement touches nothing but that column, and moves it forward only: whoever revokes or changes a key at the
same moment is neither undone nor kept waiting.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from asyncpg.exceptions import PostgresError

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import run
from tenantry.foundation.logs import get_logger
from tenantry.foundation.problems import Problem
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.used_keys import UsedKey
from tenantry.foundation.work import SystemWork

PAUSE = 1.0
"""Seconds in which the first uses of API keys are written together."""
LONGEST_PAUSE = 60.0
WITHIN = 2.0
MOST_DOUBLINGS = 6
HOUSE = Actor("house", name="key use")
log = get_logger("tenantry.keys")

# one that is being changed at this moment is left out: its next use is written as well
write_uses = run("""
    with used as (
        select keys.org_id, keys.id, noted.at
          from unnest(:orgs::uuid[], :keys::uuid[], :times::timestamptz[]) as noted (org_id, key_id, at)
          join tenantry.api_keys as keys on keys.org_id = noted.org_id and keys.id = noted.key_id
           for no key update of keys skip locked
    )
    update tenantry.api_keys
       set last_used_at = greatest(last_used_at, used.at)
      from used
     where api_keys.org_id = used.org_id
       and api_keys.id = used.id
""")


def note_use(call: Call, org_id: UUID, key_id: UUID) -> None:
    """An API key was used for something that it may do; it is written down within a minute."""
    runtime = call.runtime
    runtime.used_keys.note((org_id, key_id), runtime.clock.now())
    if runtime.used_keys.flushing is None or runtime.used_keys.flushing.done():
        runtime.used_keys.flushing = asyncio.create_task(_flush(runtime))


async def settle_uses(runtime: Runtime) -> None:
    """Write everything that waits, at the end of the process; what cannot be written now is lost, and said to be."""
    used = runtime.used_keys
    if used.flushing is not None:
        used.flushing.cancel()
        # it gives back what it was about to write
        await asyncio.wait([used.flushing], timeout=2 * WITHIN)
    if (taken := used.take(even_early=True)) and not await _write(runtime, taken):
        log.warning("uses of API keys lost", keys=len(used.waiting))
        used.waiting.clear()


async def _flush(runtime: Runtime) -> None:
    used = runtime.used_keys
    while (due := used.due_in()) is not None:
        # those that are first used at the same time are written at the same time
        pause = min(PAUSE * 2 ** min(used.failed, MOST_DOUBLINGS), LONGEST_PAUSE)
        await asyncio.sleep(max(due, pause * random.uniform(1, 1.2)))  # noqa: S311  (jitter)
        await _write(runtime, used.take())


async def _write(runtime: Runtime, taken: Mapping[UsedKey, datetime]) -> bool:
    """Write when keys were used; what could not be written waits for another try."""
    if not taken:
        return True
    try:
        async with asyncio.timeout(WITHIN):
            await _keep(runtime, taken)
    except (Problem, PostgresError, OSError, TimeoutError) as error:
        runtime.used_keys.failed += 1
        log.warning("uses of API keys not written yet", keys=len(taken), why=type(error).__name__)
        runtime.used_keys.give_back(taken)
        return False
    except BaseException:
        # cut off at the end of the process: it is written with others
        runtime.used_keys.give_back(taken)
        raise
    runtime.used_keys.failed = 0
    return True


async def _keep(runtime: Runtime, taken: Mapping[UsedKey, datetime]) -> None:
    orgs, keys = zip(*taken, strict=True)
    call = Call(runtime, HOUSE, str(new_id()))
    async with SystemWork(call, reason="which keys a process met is of many organizations") as work:
        await write_uses(work, orgs=list(orgs), keys=list(keys), times=list(taken.values()))
