"""News: in which organizations something has happened, found out by one look at the log for all who wait for it.

It learns of an event neither what nor to whom, only where: whoever is woken reads for themselves, with their own
rights. A look that fails costs nothing but time, because those who wait look from time to time in any case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.sql import values
from tenantry.foundation.events.log import Position, horizon_now
from tenantry.foundation.jobs.trouble import TROUBLE, jittered
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

EVERY = 1.0
"""Seconds between two looks at the log for all event streams of a process, while there are any."""
PATIENCE = 5.0
log = get_logger("tenantry.events")

orgs_between = values(
    UUID,
    """
    select distinct org_id
      from tenantry.events
     where epoch = :epoch
       and tx >= :since::xid8
       and tx < :below::xid8
       and org_id is not null
    """,
    not_null=("org_id",),
)


class News:
    """Wakes whoever waits for an organization, soon after something has happened there."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._watching: asyncio.Task[None] | None = None

    @contextmanager
    def of(self, org: UUID, wake: asyncio.Event) -> Iterator[None]:
        """Have an event set whenever there may be something new in an organization."""
        self._waiting.setdefault(org, set()).add(wake)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
            self._watching.add_done_callback(self._rested)
        try:
            yield
        finally:
            self._waiting[org].discard(wake)
            if not self._waiting[org]:
                del self._waiting[org]

    async def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching], timeout=PATIENCE)

    async def _watch(self) -> None:
        since: Position | None = None
        while self._waiting:
            try:
                async with asyncio.timeout(PATIENCE):
                    since = await self._look(since)
            except TROUBLE as error:
                log.warning("not looking for news", error=type(error).__name__)
                since = None
            await asyncio.sleep(jittered(EVERY))

    async def _look(self, since: Position | None) -> Position:
        call = Call(self._runtime, Actor("job"), str(uuid4()))
        async with SystemWork(call, reason="one look at the log for every stream", reading=True) as work:
            now = await horizon_now(work)
            if since is None or now.epoch != since.epoch:
                self._wake(list(self._waiting))
            elif now.tx > since.tx:
                self._wake(await orgs_between(work, epoch=now.epoch, since=since.tx, below=now.tx))
        return now

    def _wake(self, orgs: Iterable[UUID]) -> None:
        for org in orgs:
            for wake in self._waiting.get(org, ()):
                wake.set()

    def _rested(self, task: asyncio.Task[None]) -> None:
        if self._watching is task:
            self._watching = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the watch for news broke", error=type(error).__name__, exc_info=error)
