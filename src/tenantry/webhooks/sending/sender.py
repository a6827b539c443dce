"""The sender: turns, sends, and turns again; asleep until something came back, is due, or is said to be there."""

from __future__ import annotations

import asyncio
import time

from tenantry.foundation.data.ids import new_id
from tenantry.foundation.jobs.ear import Ear
from tenantry.foundation.jobs.trouble import TROUBLE, breath, jittered
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime
from tenantry.webhooks.sending import metrics
from tenantry.webhooks.sending.holding import Holding
from tenantry.webhooks.sending.lane import Attempted, Lane, Target
from tenantry.webhooks.sending.sending import attempt, broken
from tenantry.webhooks.sending.statements import Due, LookWork, next_in
from tenantry.webhooks.sending.turn import LEASE, Turn

log = get_logger("tenantry.webhooks")
POLL, BLIND_POLL = 4.0, 0.8
"""Seconds between two looks at what is due; the shorter while no bell would be heard."""
APART = 0.005
"""Seconds between two looks at least, however often the bell rings: it rings for jobs too."""
GRACE = 17.0
"""Seconds in which what flies may still arrive when the process is told to stop."""


async def send(runtime: Runtime, ear: Ear, stop: asyncio.Event) -> None:
    """Send what is due to anybody's endpoints until told to stop; then let what flies arrive."""
    await Sender(runtime, ear).run(stop)


async def drain(runtime: Runtime) -> int:
    """Send all that is due, here and now; says how many attempts that took."""
    return await Sender(runtime).drain()


class Sender:
    """One process's."""

    def __init__(self, runtime: Runtime, ear: Ear | None = None) -> None:
        self.id = new_id()
        self._runtime = runtime
        self._ear = ear
        self._holding = Holding()
        self._came: list[tuple[Lane, Attempted]] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._call = asyncio.Event()
        self._looked_at = self._look_at = self._keep_at = 0.0
        self._more = False
        self.attempted = 0
        if ear is not None:
            ear.also(self._rung)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop."""
        waker = asyncio.create_task(self._wake_at(stop))
        try:
            while not stop.is_set():
                self._call.clear()
                if not await self._try_turn():
                    await self._rest()
            await self._finish()
        finally:
            waker.cancel()
            for flight in self._flights:
                flight.cancel()

    async def drain(self) -> int:
        """Send all that is due, to its end."""
        more = True
        while more or self._flights or self._came:
            self._look_at = 0.0
            more = await self._turn()
            if self._flights and not more:
                await asyncio.wait(self._flights, return_when=asyncio.FIRST_COMPLETED)
        return self.attempted

    def _rung(self) -> None:
        self._look_at = min(self._look_at, self._looked_at + APART)
        self._call.set()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._call.set()

    async def _try_turn(self) -> bool:
        """A turn; whether to take another at once."""
        try:
            return await self._turn()
        except TROUBLE as error:
            log.warning("webhooks could not be looked after", error=type(error).__name__)
            await breath()
            return True

    async def _turn(self, *, sending: bool = True) -> bool:
        now = time.monotonic()
        keeping, taking = now >= self._keep_at and len(self._holding) > 0, sending and now >= self._look_at
        if taking and not (self._came or len(self._holding)):
            taking = await self._is_anything_due(now)
        if not (self._came or keeping or taking or self._more or not sending):
            return False
        came, self._came = self._came, []
        turn = Turn(self._runtime, self.id, self._holding, came)
        try:
            await turn.do(keeping=keeping, taking=taking, sending=sending)
        except BaseException:
            self._came = came + self._came
            raise
        if keeping or not self._keep_at:
            self._keep_at = now + LEASE / 3
        if taking:
            self._looked(now, 0.0 if turn.more else turn.next_in)
        self._more = turn.more
        for lane, due in turn.fetched:
            self._start(lane, due)
        metrics.lanes.set(len(self._holding))
        metrics.flying.set(len(self._flights))
        return turn.more

    async def _is_anything_due(self, now: float) -> bool:
        """One statement, which is all that a sender without anything to do asks."""
        async with LookWork(self._runtime) as work:
            seconds = await next_in(work)
        self._looked(now, seconds)
        return seconds is not None and seconds <= 0

    def _looked(self, now: float, next_in: float | None) -> None:
        self._looked_at, self._look_at = now, now + self._patience(next_in)

    def _patience(self, next_in: float | None) -> float:
        poll = jittered(POLL if self._ear is not None and self._ear.listening else BLIND_POLL)
        return poll if next_in is None else min(poll, max(0.0, next_in))

    def _start(self, lane: Lane, due: Due) -> None:
        assert lane.target is not None
        flight = asyncio.create_task(self._fly(lane, lane.target, due))
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    async def _fly(self, lane: Lane, target: Target, due: Due) -> None:
        try:
            came = await attempt(self._runtime, lane, target, due)
        except Exception:
            # a mistake of ours about one delivery is not to end those of all others; it is tried again like one
            log.exception("an attempt broke", endpoint=str(due.endpoint_id), event_id=str(due.event_id))
            lane.fares(good=False, quiet=None)
            came = broken(lane, due, self._runtime.clock.now())
        self._came.append((lane, came))
        self.attempted += 1
        metrics.attempts.labels(came.fate).inc()
        metrics.took.observe(came.took_ms / 1000)
        self._call.set()

    async def _rest(self) -> None:
        """Wait for the bell, for what flies, or for the time to look unasked."""
        until = min(self._look_at, self._keep_at) if len(self._holding) else self._look_at
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self._call.wait()
        except TimeoutError:
            return

    async def _finish(self) -> None:
        """Let what flies arrive, write down what came of it, and let every lane go."""
        try:
            async with asyncio.timeout(GRACE):
                while self._flights or self._came or len(self._holding):
                    await self._turn(sending=False)
                    if self._flights:
                        await asyncio.wait(self._flights, return_when=asyncio.FIRST_COMPLETED)
        except TROUBLE as error:
            log.warning("what was sent last is not written down, and is sent again", error=type(error).__name__)
