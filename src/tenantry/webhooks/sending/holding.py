"""The lanes that a process holds, and how what it may have under way is shared among them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from uuid import UUID

from tenantry.webhooks.sending.lane import Lane
from tenantry.webhooks.sending.pace import FIRST_WINDOW
from tenantry.webhooks.sending.statements import Taken

AT_ONCE = 500
"""Attempts that a process has under way at a time, at most."""
DOUBTFUL = 100
"""Of these, attempts to endpoints that failed last: however many of those there are, the others have room."""
A_TURN = 200
"""Deliveries that one turn begins: the next one is under way while these fly, and none has to wait for all."""
LANES = 1000
"""Endpoints that a process sends to at a time, at most."""
WINDOWS_KNOWN = 10_000
"""Endpoints of which a process remembers how much at a time they took."""


class Holding:
    """What is held."""

    def __init__(self) -> None:
        self._lanes: dict[UUID, Lane] = {}
        self._turn = 0
        self._windows: OrderedDict[UUID, int] = OrderedDict()

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def flying(self) -> int:
        """Attempts under way."""
        return sum(len(lane.flying) for lane in self._lanes.values())

    @property
    def vacancies(self) -> int:
        """How many lanes more may be taken; none while there is no room to send from them."""
        return min(LANES - len(self), AT_ONCE - self.flying)

    def holds(self, lane: Lane) -> bool:
        """Whether this lane is held still, and not again."""
        return self._lanes.get(lane.endpoint_id) is lane

    def made(self, taken: Iterable[Taken]) -> list[Lane]:
        """Lanes that were just taken, each with as wide a window as it last had; not held before `add`."""
        return [Lane(one, self._windows.get(one.endpoint_id, FIRST_WINDOW)) for one in taken]

    def add(self, lanes: Iterable[Lane]) -> None:
        """Hold these."""
        self._lanes |= {lane.endpoint_id: lane for lane in lanes}

    def leave(self, lanes: Iterable[Lane]) -> None:
        """Hold these no more, and remember what they took."""
        for lane in lanes:
            if self.holds(lane):
                del self._lanes[lane.endpoint_id]
            self._windows[lane.endpoint_id] = lane.wide
            self._windows.move_to_end(lane.endpoint_id)
        while len(self._windows) > WINDOWS_KNOWN:
            self._windows.popitem(last=False)

    def rooms(self, lanes: Iterable[Lane]) -> dict[Lane, int]:
        """How many deliveries each of these may be sent now: equal shares, those in doubt of less, and all by turns."""
        wanting = [lane for lane in lanes if lane.room]
        failing = [lane for lane in self._lanes.values() if lane.failures]
        whole = min(A_TURN, AT_ONCE - self.flying)
        doubtful = _shared(
            [lane for lane in wanting if lane.failures], min(whole, DOUBTFUL - sum(len(one.flying) for one in failing))
        )
        rooms = doubtful | _shared([lane for lane in wanting if not lane.failures], whole - sum(doubtful.values()))
        for lane in rooms:
            self._turn += 1
            lane.turn = self._turn
        return rooms


def _shared(lanes: list[Lane], room: int) -> dict[Lane, int]:
    """So much room in equal shares, the hungriest last so that it has what the others leave.

    Where there is less room than lanes, those have it whose turn was longest ago.
    """
    shares: dict[Lane, int] = {}
    lanes = sorted(lanes, key=lambda one: one.turn)[: max(0, room)]
    for place, lane in enumerate(sorted(lanes, key=lambda one: one.room)):
        shares[lane] = share = min(lane.room, -(-room // (len(lanes) - place)))
        room -= share
    return shares
