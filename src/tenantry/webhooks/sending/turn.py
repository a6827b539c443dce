"""A turn: one transaction that writes down what came back, and says what is to be sent next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.sealing import SealBroken
from tenantry.webhooks import actions
from tenantry.webhooks.models import WhyDisabled
from tenantry.webhooks.sending import metrics
from tenantry.webhooks.sending.holding import Holding
from tenantry.webhooks.sending.lane import Attempted, Lane, Target
from tenantry.webhooks.sending.pace import LONGEST_BREAK, ONLY_FAILURES
from tenantry.webhooks.sending.statements import (
    Due,
    TurnWork,
    facts,
    fare,
    fetch,
    keep,
    let_go,
    lock_lanes,
    next_in,
    record,
    take,
)

log = get_logger("tenantry.webhooks")
LEASE = 12.0
"""Seconds for which a lane is held unless that is prolonged; so long an endpoint waits when a process dies."""
COLUMNS = (
    "r_orgs", "r_endpoints", "r_events", "r_ats", "r_begun", "r_numbers", "r_tries", "r_statuses", "r_errors", "r_took",
    "r_answers", "r_fates", "r_waits",
)  # fmt: skip

Came = tuple[Lane, Attempted]


class Turn:
    """What a turn begins with, and what it found once it is committed."""

    def __init__(self, runtime: Runtime, holder: UUID, holding: Holding, came: Sequence[Came]) -> None:
        self._runtime = runtime
        self._holder = holder
        self._holding = holding
        # a lane that was lost and taken again is another: what flew before that is not written down for it
        self._came = [(lane, one) for lane, one in came if holding.holds(lane)]
        self._lost = len(came) - len(self._came)
        self._held = list(holding)
        self._fared = [lane for lane in self._held if lane.fares_anew]
        self.fetched: list[tuple[Lane, Due]] = []
        self.next_in: float | None = None
        self.more = False

    async def do(self, *, keeping: bool, taking: bool, sending: bool = True) -> None:
        """All of it: `keeping` prolongs leases, `taking` looks for more lanes, without `sending` nothing is begun."""
        self._settle()
        try:
            async with TurnWork(self._runtime) as work:
                await self._lock(work, all=keeping)
                await self._write(work)
                lost = await self._keep(work) if keeping else []
                new = await self._take(work) if taking else []
                lanes = [lane for lane in (*self._held, *new) if lane not in lost]
                self.fetched = await self._fetch(work, lanes) if sending else []
                if gone := self._idle(lanes, closing=not sending):
                    await let_go(work, **_named(gone))
                self.next_in = await next_in(work) if taking and not self.more else None
        except BaseException:
            self._unsettle()
            raise
        metrics.lost.inc(self._lost)
        self._holding.add(new)
        self._holding.leave((*lost, *gone))
        for lane, due in self.fetched:
            lane.flying.add(due.event_id)

    def _settle(self) -> None:
        """What is written in this turn flies no more: until then, what came back was not to be fetched again."""
        for lane in self._fared:
            lane.fares_anew = False
        for lane, one in self._came:
            lane.flying.discard(one.due.event_id)

    def _unsettle(self) -> None:
        for lane in self._fared:
            lane.fares_anew = True
        for lane, one in self._came:
            lane.flying.add(one.due.event_id)

    async def _lock(self, work: TurnWork, *, all: bool) -> None:
        """Lock what this turn may write: later on it waits for no lane."""
        lanes = [lane for lane in self._held if all or lane in self._fared or not lane.flying]
        if lanes:
            await lock_lanes(work, **_named(lanes))

    async def _write(self, work: TurnWork) -> None:
        if self._came:
            lanes = list({id(lane): lane for lane, _ in self._came}.values())
            rows = zip(*(one.row() for _, one in self._came), strict=True)
            written = await record(work, **_named(lanes), **dict(zip(COLUMNS, map(list, rows), strict=True)))
            self._lost += len(self._came) - (written or 0)
        await self._fare(work)

    async def _fare(self, work: TurnWork) -> None:
        """How endpoints fare; those that are gone, or have failed for too long, are disabled."""
        ending: dict[tuple[UUID, UUID], WhyDisabled] = {
            (lane.org_id, lane.endpoint_id): "gone" for lane, one in self._came if one.gone
        }
        if self._fared:
            failing = await fare(
                work, **_named(self._fared), failures=[lane.failures for lane in self._fared],
                quiets=[lane.quiet for lane in self._fared], most=ONLY_FAILURES,
            )  # fmt: skip
            for one in failing:
                ending.setdefault((one.org_id, one.endpoint_id), "failing")
        for (org_id, endpoint_id), why in sorted(ending.items()):
            await actions.disable_endpoint(work, org_id=org_id, endpoint_id=endpoint_id, why=why)

    async def _keep(self, work: TurnWork) -> list[Lane]:
        """Prolong what is held; the answer is what had been lost."""
        if not self._held:
            return []
        kept = set(await keep(work, **_named(self._held), lease=LEASE))
        return [lane for lane in self._held if lane.endpoint_id not in kept]

    async def _take(self, work: TurnWork) -> list[Lane]:
        room = self._holding.vacancies
        if room <= 0:
            return []
        taken = await take(work, holder=self._holder, lease=LEASE, most=room)
        self.more = len(taken) == room
        return self._holding.made(taken)

    async def _fetch(self, work: TurnWork, lanes: Sequence[Lane]) -> list[tuple[Lane, Due]]:
        await self._learn(work, [lane for lane in lanes if lane.target is None])
        rooms = self._holding.rooms(lanes)
        if not rooms:
            return []
        known = {lane.endpoint_id: lane for lane in rooms}
        busy = [(lane.endpoint_id, event) for lane in lanes for event in lane.flying]
        rows = await fetch(
            work, orgs=[lane.org_id for lane in rooms], endpoints=list(known), rooms=list(rooms.values()),
            busy_endpoints=[endpoint for endpoint, _ in busy], busy_events=[event for _, event in busy],
        )  # fmt: skip
        fetched = [(known[row.endpoint_id], row) for row in rows]
        for lane, row in fetched:
            if lane.target is not None and lane.target.version != row.endpoint_version:
                # changed since: the next turn reads it anew and fetches again
                lane.target = None
        sent = [(lane, row) for lane, row in fetched if lane.target is not None]
        self.more = self.more or len(fetched) == sum(rooms.values()) or len(sent) < len(fetched)
        return sent

    async def _learn(self, work: TurnWork, lanes: Sequence[Lane]) -> None:
        """Read where these endpoints are, and by which secrets; one that cannot be opened is left alone for a while."""
        if not lanes:
            return
        found = await facts(work, orgs=[lane.org_id for lane in lanes], endpoints=[lane.endpoint_id for lane in lanes])
        known = {one.endpoint_id: one for one in found}
        for lane in lanes:
            try:
                one = known.get(lane.endpoint_id)
                if one is None:
                    # deleted since it was taken
                    lane.quiet = LONGEST_BREAK
                else:
                    lane.target = Target.opened(one, self._runtime.sealer)
            except SealBroken as error:
                log.error("an endpoint's secrets do not open", endpoint=str(lane.endpoint_id), why=error.fault.value)
                lane.fares(good=False, quiet=LONGEST_BREAK)

    def _idle(self, lanes: Iterable[Lane], *, closing: bool) -> list[Lane]:
        """Those from which nothing is sent now."""
        sent = {lane.endpoint_id for lane, _ in self.fetched}
        still = [lane for lane in lanes if not lane.flying and lane.endpoint_id not in sent and not lane.fares_anew]
        # one that was changed is read anew by the next turn
        return [lane for lane in still if closing or lane.target is not None or lane.quiet is not None]


def _named(lanes: Sequence[Lane]) -> dict[str, Any]:
    return {
        "orgs": [lane.org_id for lane in lanes],
        "endpoints": [lane.endpoint_id for lane in lanes],
        "holds": [lane.hold for lane in lanes],
    }
