"""One step of a consumer: a batch of events given to it, and its place moved, in one commit.

A batch that fails is rolled back, and what is in it is given again one event at a time, so that the consumer ends up
behind all that can be done and before the one event that cannot. That one is tried again and again, ever more rarely,
until the code is mended or an operator has it passed over. Nothing is left out by itself.

A generation that is being built takes its steps the same way. At the end of the log it holds the living one still,
takes the last step, and takes over: readers see the one or the other.
"""

from __future__ import annotations

import asyncio
import random
from typing import Literal

import msgspec

from tenantry.foundation.events import metrics
from tenantry.foundation.events.consumer import Consumer, ConsumerWork
from tenantry.foundation.events.log import Page, Position, read_log
from tenantry.foundation.events.standing import Live, Place, enliven, fail, leave, move, retire, take, take_live
from tenantry.foundation.events.versions import Unreadable, read_payload
from tenantry.foundation.jobs.attempt import describe
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.events")

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds until a consumer is given an event again that it failed on, and at most between two tries."""
CLEARED_AT_ONCE = 2_000
"""Rows of a generation gone by that are removed in one transaction."""


class Step(msgspec.Struct, frozen=True):
    """What a step came to: nothing to do, or not here; done, or failed; how many events, and whether there are more."""

    how: Literal["idle", "done", "failed"]
    events: int = 0
    more: bool = False
    error: BaseException | None = None


IDLE = Step("idle")


class Batch:
    """A step on its way: where it began, what it was given, and where it would end."""

    def __init__(self, runtime: Runtime, consumer: Consumer, generation: int, *, closing: bool) -> None:
        self.runtime = runtime
        self.consumer = consumer
        self.generation = generation
        self.closing = closing
        self.place: Place | None = None
        self.page: Page | None = None

    def work(self, reason: str) -> ConsumerWork:
        """A transaction for it."""
        return ConsumerWork(self.runtime, self.consumer.name, self.generation, reason=reason)

    async def do(self) -> Step:
        """All of it, in one commit."""
        async with self.work("a consumer reads the whole log") as work:
            place = await take(work, name=self.consumer.name, generation=self.generation)
            if place is None:
                return IDLE
            if place.state == "retiring":
                return await self._clear(work)
            live = await self._held_still(work, place)
            page = await self._read(work, place)
            self.place, self.page = place, page
            await self._perform(work, page)
            await self._move(work, place, page, live)
        return Step("done", len(page.events), page.more)

    async def _held_still(self, work: ConsumerWork, place: Place) -> Live | None:
        """The living generation, locked, when this one is about to take over."""
        if place.state != "building" or not self.closing:
            return None
        return await take_live(work, name=self.consumer.name)

    async def _read(self, work: ConsumerWork, place: Place) -> Page:
        most = 1 if place.careful else self.consumer.batch
        return await read_log(work, place.position, most, self.consumer.kinds, whole=not place.careful)

    async def _perform(self, work: ConsumerWork, page: Page) -> None:
        if not page.events:
            return
        for logged in page.events if self.consumer.kinds and self.consumer.stops else ():
            if logged.event is None:
                raise self._why_unreadable(logged.kind, logged.version, bytes(logged.payload))
        async with asyncio.timeout(self.consumer.timeout):
            await self.consumer.function(work, page.events)

    def _why_unreadable(self, kind: str, version: int, payload: bytes) -> Unreadable:
        try:
            read_payload(self.runtime.events[kind], version, payload)
        except Unreadable as error:
            return error
        except KeyError:
            return Unreadable(f"{kind} is declared by no domain of this installation")
        raise AssertionError(f"{kind} can be read after all")

    async def _move(self, work: ConsumerWork, place: Place, page: Page, live: Live | None) -> None:
        name, reached = self.consumer.name, page.reached
        careful = place.careful_until
        if careful is not None and reached >= Position.read(careful):
            careful = None
        if reached > place.position or place.failures:
            await move(
                work, name=name, generation=self.generation, epoch=reached.epoch, tx=reached.tx, id=reached.id,
                careful_until=careful,
            )  # fmt: skip
        if live is not None and reached >= live.position:
            await retire(work, name=name, generation=live.generation)
            await enliven(work, name=name, generation=self.generation, paused_at=live.paused_at)
            log.info("a consumer's new generation has taken over", consumer=name, generation=self.generation)

    async def _clear(self, work: ConsumerWork) -> Step:
        clear = self.consumer.clear
        removed = 0 if clear is None else await clear(work, generation=self.generation, most=CLEARED_AT_ONCE)
        if not removed:
            await leave(work, name=self.consumer.name, generation=self.generation)
        return Step("done", 0, more=removed > 0)

    async def note(self, error: BaseException) -> Step:
        """Write down that it failed, unless another process has gone on from there."""
        assert self.place is not None
        assert self.page is not None
        events = self.page.events
        several, alone = len(events) > 1, events[0] if len(events) == 1 else None
        why = str(error) if isinstance(error, Unreadable) else describe(error)
        async with self.work("a consumer that fails is held back") as work:
            await fail(
                work, name=self.consumer.name, generation=self.generation, epoch=self.place.epoch, tx=self.place.tx,
                id=self.place.id, wait=0.0 if several else _wait(self.place.failures), error=why[:500],
                careful_until=events[-1].position.text if several else None,
                failed_at=alone and alone.position.text, failed_event=alone and alone.public_id,
            )  # fmt: skip
        log.error(
            "a consumer failed", consumer=self.consumer.name, generation=self.generation, events=len(events), error=why,
            stuck_on=str(alone.public_id) if alone else None,
        )  # fmt: skip
        metrics.batches.labels(self.consumer.name, "failed").inc()
        return Step("failed", len(events), more=several, error=error)


async def step(runtime: Runtime, consumer: Consumer, generation: int, *, closing: bool = False) -> Step:
    """Take one step, if nobody else is taking it; `closing` one that builds takes over if it has caught up."""
    batch = Batch(runtime, consumer, generation, closing=closing)
    try:
        done = await batch.do()
    # whatever it raises is the failure of this consumer alone; sys.exit() in one must not stop the others
    except (Exception, SystemExit) as error:
        if batch.page is None:
            # before it was given anything: that is the database's trouble
            raise
        return await batch.note(error)
    if done.events:
        metrics.batches.labels(consumer.name, "done").inc()
        metrics.events.labels(consumer.name).inc(done.events)
    return done


def _wait(failures: int) -> float:
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 20))
    return wait * random.uniform(0.75, 1.0)  # noqa: S311  (spreads load, hides nothing)
