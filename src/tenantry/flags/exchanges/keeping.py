"""The flags of this process: a snapshot that is kept fresh from the first use on, and what was asked of it.

It is seen within a second on every process that asks for flags. While PostgreSQL is away the last one goes on; where
there is none yet, declared flags have their defaults and others what the code that asks falls back to.
"""

from __future__ import annotations

import asyncio
import time

from tenantry.flags import actions, queries
from tenantry.flags.models import Snapshot, Times, asked_most, snapshot
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.database import LOST
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.watch import Opened, Watch
from tenantry.foundation.logs import get_logger
from tenantry.foundation.problems import Problem
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

FIRST_WITHIN = 0.5
"""Seconds that the first who asks for flags in a process waits for them, at most."""
TOLD_EVERY = 60.0
"""Seconds between two writes of how often flags were asked for, by one process."""
LAST_WITHIN = 2.0
log = get_logger("tenantry.flags")


class FlagsKept:
    """What one process knows of the flags."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.times: Times = {}
        self._told: dict[str, int] = {}
        self._told_at = time.monotonic()
        self._said: set[tuple[str, str]] = set()
        self.watch: Watch[Snapshot] = Watch(
            runtime.database,
            of="flags",
            kept=snapshot(runtime.flags, (), (), times=self.times, loaded=False),
            mark=queries.mark,
            read=self._read,
            beside=self._tell_now_and_then,
        )

    @property
    def now(self) -> Snapshot:
        """The flags as they are now."""
        return self.watch.kept

    async def first(self) -> Snapshot:
        """The flags as they are now, once they were read at all, or else what holds until then."""
        await self.watch.ready(within=FIRST_WITHIN)
        return self.watch.kept

    async def close(self) -> None:
        """Watch no more; what was asked since is told before."""
        await self.watch.close()
        try:
            async with asyncio.timeout(LAST_WITHIN):
                await self.tell()
        except TimeoutError:
            log.warning("not told how often flags were asked for")

    async def tell(self) -> None:
        """Write how often flags were asked for; what cannot be written now is written the next time."""
        self._told_at = time.monotonic()
        asked = asked_most(self.times, self._told)
        if not asked:
            return
        call = Call(self.runtime, Actor("house", name="flags"), str(new_id()))
        try:
            async with SystemWork(call, reason="how often a flag is asked for is nobody's") as work:
                await actions.count_evaluations(work, asked=asked)
        except (Problem, *LOST) as error:
            log.warning("not told how often flags were asked for", error=type(error).__name__)
        else:
            self._told |= {key: self._told.get(key, 0) + count for key, count in asked}

    def complain(self, key: str, error: Exception) -> None:
        """Say in the log that a flag could not be evaluated, once for each way in which that happens."""
        said = (key, type(error).__name__)
        if said not in self._said:
            self._said.add(said)
            log.error("a flag could not be evaluated", flag=key, error=type(error).__name__)

    async def _tell_now_and_then(self) -> None:
        if time.monotonic() - self._told_at >= TOLD_EVERY:
            await self.tell()

    async def _read(self, opened: Opened) -> Snapshot:
        stored, overrides = await queries.every_flag(opened), await queries.every_override(opened)
        found = snapshot(self.runtime.flags, stored, overrides, times=self.times)
        for key, why in found.broken.items():
            log.error("a flag cannot be read", flag=key, why=why)
        return found


def flags_kept(runtime: Runtime) -> FlagsKept:
    """What this process knows of the flags; one for all who ask."""
    return runtime.neighbours.of(FlagsKept, lambda: FlagsKept(runtime))
