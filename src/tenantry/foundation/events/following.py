"""Following the log: each process does the steps of all consumers, whichever of them nobody else is doing.

One look asks for all of them who has something to do. It is taken when the bell rings, as soon as something that was
held back may have come below the horizon, and otherwise from time to time. A consumer that is slow or fails holds up no
other. At the end of its process a step is cut off, and with it its transaction; the next process takes it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping

import msgspec

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.events.consumer import Consumer
from tenantry.foundation.events.log import BEGINNING, horizon_now
from tenantry.foundation.events.looking import LookingWork, asked
from tenantry.foundation.events.measuring import measure
from tenantry.foundation.events.standing import PASSED_AT_ONCE, Due, begin, due, known
from tenantry.foundation.events.stepping import step
from tenantry.foundation.jobs.ear import Ear
from tenantry.foundation.jobs.trouble import TROUBLE, breath, jittered
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

log = get_logger("tenantry.events")
HELD_BACK_WITHIN = 10.0


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """How often the log is looked at, in seconds; and how many consumers one process serves at a time."""

    poll: float = 2.0
    blind_poll: float = 0.8
    held_poll: float = 0.02
    measure: float = 15.0
    at_once: int = 4


class Follower:
    """Serves the consumers in this process."""

    def __init__(
        self,
        runtime: Runtime,
        consumers: Iterable[Consumer],
        *,
        ear: Ear | None = None,
        rhythm: Rhythm = Rhythm(),  # noqa: B008  (frozen)
    ) -> None:
        """`ear` hears the bell; without one, the log is looked at more often."""
        self._runtime = runtime
        self._consumers = {one.name: one for one in consumers}
        self._ear = ear
        self._rhythm = rhythm
        self._call = asyncio.Event()
        self._places = asyncio.Semaphore(rhythm.at_once)
        self._serving: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._held_for = rhythm.held_poll

    async def run(self) -> None:
        """Follow until cancelled."""
        if self._ear is not None:
            self._ear.also(self._call.set)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._measure())
            if self._consumers:
                await self._follow(group)

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        begun = False
        while True:
            self._call.clear()
            try:
                if not begun:
                    await begin_all(self._runtime, self._consumers)
                    begun = True
                found = await look(self._runtime, self._consumers)
            except TROUBLE as error:
                log.warning("the event log could not be looked at", error=type(error).__name__)
                await breath()
                continue
            for one in found:
                if one.due and (one.name, one.generation) not in self._serving:
                    self._serve(group, one)
            await self._rest(held=any(one.held for one in found))

    def _serve(self, group: asyncio.TaskGroup, one: Due) -> None:
        key = one.name, one.generation
        self._serving[key] = group.create_task(self._steps(one), name=f"consumer {one.name}")
        self._serving[key].add_done_callback(lambda _: self._serving.pop(key, None))

    async def _steps(self, one: Due) -> None:
        """Take steps until there is nothing more to do now."""
        consumer, closing, done = self._consumers[one.name], False, 0
        try:
            while True:
                async with self._places:
                    taken = await step(self._runtime, consumer, one.generation, closing=closing)
                done += taken.events if taken.how == "done" else 0
                if not taken.more and (closing or one.state != "building" or taken.how != "done"):
                    break
                closing = not taken.more
        except TROUBLE as error:
            log.warning("a consumer could not be served", consumer=one.name, error=type(error).__name__)
            await breath()
        if done:
            # what came meanwhile was not looked for, because this one was being served
            self._call.set()

    async def _rest(self, *, held: bool) -> None:
        """Wait for the bell, or for the time to look unasked: soon, while something is held back."""
        usual = jittered(self._rhythm.poll if self._ear and self._ear.listening else self._rhythm.blind_poll)
        self._held_for = min(usual, 2 * self._held_for) if held else self._rhythm.held_poll
        try:
            async with asyncio.timeout(self._held_for if held else usual):
                await self._call.wait()
        except TimeoutError:
            return

    async def _measure(self) -> None:
        while True:
            try:
                async with LookingWork(self._runtime, reason="the lag of consumers is measured") as work:
                    await measure(work, self._consumers.values())
            except TROUBLE as error:
                log.warning("the event log could not be measured", error=type(error).__name__)
            await asyncio.sleep(jittered(self._rhythm.measure))


async def begin_all(runtime: Runtime, consumers: Mapping[str, Consumer]) -> None:
    """Give each consumer that is new its place in the log: the beginning, or where the log ends now."""
    call = Call(runtime, Actor("house", name="consumers"), str(new_id()))
    async with SystemWork(call, reason="a new consumer is given its place") as work:
        there = set(await known(work, names=list(consumers)))
        end = await horizon_now(work)
        for name in sorted(consumers.keys() - there):
            at = BEGINNING if consumers[name].start == "beginning" else end
            await begin(work, name=name, epoch=at.epoch, tx=at.tx, id=at.id)


async def look(runtime: Runtime, consumers: Mapping[str, Consumer]) -> list[Due]:
    """Who has something to do, and for whom something is held back."""
    async with LookingWork(runtime, reason="consumers read the whole log") as work:
        return await due(work, **asked(consumers.values()), passed=PASSED_AT_ONCE)


async def drain_consumers(runtime: Runtime, consumers: Iterable[Consumer]) -> int:
    """Have every consumer read, here and now, all that is committed by now; says how many events that took.

    Raises what a consumer raises for an event that it is given alone. Waits for transactions that hold the log back.
    """
    told = {one.name: one for one in consumers}
    total = 0
    if told:
        await begin_all(runtime, told)
    until = time.monotonic() + HELD_BACK_WITHIN
    while told:
        found = await look(runtime, told)
        busy = [one for one in found if one.due]
        for one in busy:
            total += await _drain(runtime, told[one.name], one)
        if busy:
            until = time.monotonic() + HELD_BACK_WITHIN
        elif not any(one.held for one in found):
            break
        elif time.monotonic() > until:
            raise TimeoutError("an open transaction holds the event log back")
        else:
            await breath(0.005)
    return total


async def _drain(runtime: Runtime, consumer: Consumer, one: Due) -> int:
    taken = await step(runtime, consumer, one.generation, closing=one.state == "building")
    if taken.error is not None and not taken.more:
        raise taken.error
    return taken.events if taken.how == "done" else 0
