"""Where a process may die, and the visit of each such point.

A scenario runs once without a fault to learn which units it sends; then each unit is two points: its victim
dies before it, and after it. The scenario brings its own client, victim, restart and oracle; nothing here
knows the product. How units are cut from the wire and a strike is carried out is in `proxy`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from pathlib import Path
from typing import Protocol, TypeVar

Victim = Callable[[], Awaitable[None]]


class Side(StrEnum):
    """Whether the victim dies before a unit reaches the server, or after the server has answered it."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Unit:
    """What is counted: the messages sent as one, and the SQL they are about."""

    number: int
    connection: int = 0
    kinds: str = ""
    sql: str = ""

    def __str__(self) -> str:
        return f"{self.number} c{self.connection} {self.kinds[:12]} {self.sql}"

    def like(self, other: Unit) -> bool:
        """Whether both say the same, whoever says it when."""
        return (self.kinds, self.sql) == (other.kinds, other.sql)


@dataclass
class Strike:
    """A planned death, and afterwards what it met: the unit of that number, or the `number`-th `like` one."""

    number: int
    side: Side
    victim: Victim
    reply_deadline: float = 5
    like: Unit | None = None
    unit: Unit | None = None
    answered: bool = False  # an `after` that is not answered met a server that waits, for a lock perhaps
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Window:
    """The units counted since a moment, and the strike planned among them."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.strike: Strike | None = None
        self._arrival = asyncio.Event()

    def __len__(self) -> int:
        return len(self.units)

    def __str__(self) -> str:
        return "\n".join(map(str, self.units))

    def kill_before(self, number: int, victim: Victim) -> Strike:
        """Let the victim die with unit `number` on its way: the server never gets it."""
        return self.plan(Strike(number, Side.BEFORE, victim))

    def kill_after(self, number: int, victim: Victim, reply_deadline: float = 5) -> Strike:
        """Let the victim die once the server has answered unit `number`: nobody reads the answer."""
        return self.plan(Strike(number, Side.AFTER, victim, reply_deadline))

    def turn(self, unit: Unit) -> int:
        """How many units like this one were sent."""
        return sum(unit.like(sent) for sent in self.units)

    def plan(self, strike: Strike) -> Strike:
        """Let a victim die where the strike says; RuntimeError if that is past, or another is planned."""
        if self.strike or strike.number <= (self.turn(strike.like) if strike.like else len(self)):
            raise RuntimeError(f"no strike at {strike.number}: {len(self)} units gone, planned is {self.strike}")
        self.strike = strike
        return strike

    async def struck(self, deadline: float) -> bool:
        """Wait until the victim is dead; false if the planned unit was not sent by then."""
        if self.strike is None:
            raise RuntimeError("no strike is planned")
        with suppress(TimeoutError):
            await asyncio.wait_for(self.strike.done.wait(), deadline)
        return self.strike.done.is_set()

    async def quiet(self, idle: float = 0.2, deadline: float = 10) -> None:
        """Wait until nothing was sent for `idle` seconds: what an app sends after its answer counts too."""
        async with asyncio.timeout(deadline):
            self._arrival.set()
            while self._arrival.is_set():
                self._arrival.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._arrival.wait(), idle)

    def count(self, connection: int, kinds: str, sql: str) -> Strike | None:
        """Number a unit, and give the strike that it meets."""
        unit = Unit(len(self) + 1, connection, kinds, sql[:80])
        self.units.append(unit)
        self._arrival.set()
        strike = self.strike
        if strike is None or strike.unit is not None:
            return None
        if strike.like is None:
            met = unit.number == strike.number
        else:
            met = unit.like(strike.like) and self.turn(unit) == strike.number
        if not met:
            return None
        strike.unit = unit
        return strike


async def cut() -> None:
    """The victim that loses only its connection: the proxy drops that at every strike."""


def process_group(leader: int) -> Victim:
    """Kill -9 a process group, and see it dead."""

    async def kill() -> None:
        await _kill(lambda process: process.group == leader)

    return kill


def process_tree(root: int) -> Victim:
    """Kill -9 a process and all its descendants, whatever their group: a postmaster and its backends."""

    async def kill() -> None:
        os.kill(root, signal.SIGSTOP)  # so that it starts none while they are listed
        family = _descendants(root)
        await _kill(lambda process: process.number in family)

    return kill


@dataclass(frozen=True)
class Process:
    """A line of the kernel's process list (Linux: /proc)."""

    number: int
    state: str
    parent: int
    group: int


def _processes() -> list[Process]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(ProcessLookupError, FileNotFoundError):  # it ended while we read
            state, parent, group = entry.read_text().rpartition(")")[2].split()[:3]
            found.append(Process(int(entry.parent.name), state, int(parent), int(group)))
    return [process for process in found if process.state not in "ZX"]


def _descendants(root: int) -> set[int]:
    processes, family = _processes(), {root}
    while young := {p.number for p in processes if p.parent in family} - family:
        family |= young
    return family


async def _kill(doomed: Callable[[Process], bool], deadline: float = 10) -> None:
    async with asyncio.timeout(deadline):
        while alive := [process.number for process in _processes() if doomed(process)]:
            for number in alive:
                with suppress(ProcessLookupError):  # it died of the last round
                    os.kill(number, signal.SIGKILL)
            await asyncio.sleep(0.002)


Client = TypeVar("Client")
Outcome = TypeVar("Outcome")


class Scenario(Protocol[Client, Outcome]):
    """A flow that must survive a death at any point of it; the same units on every run."""

    async def prepare(self) -> Client:
        """Bring app and data to the start, the app freshly started: a warm one sends fewer units."""

    def window(self) -> AbstractAsyncContextManager[Window]:
        """The proxy's window on this flow, with its unit and whom it watches."""

    async def act(self, client: Client) -> Outcome:
        """Run the flow as a client sees it; a cut connection is an outcome, not an error."""

    async def victim(self) -> None:
        """Die."""

    async def restart(self) -> None:
        """Bring back what was killed, if it does not come back by itself."""

    async def check(self, outcome: Outcome) -> None:
        """Raise AssertionError unless the ledger agrees with the database; then retry and look again."""


@dataclass(frozen=True)
class Point:
    """One place to die: before or after a unit.

    A worker does several things side by side, so that its units come in another order each time: with a `turn`, the
    place is at the turn-th unit like this one, whatever its number.
    """

    unit: Unit
    side: Side
    turn: int | None = None

    def __str__(self) -> str:
        return f"{self.side} {self.unit}"


async def enumerate_points(scenario: Scenario[Client, Outcome], *, by_turn: bool = False) -> list[Point]:
    """Every point of a scenario, learned from a run without fault, which must satisfy the oracle as well."""
    client = await scenario.prepare()
    async with scenario.window() as window:
        outcome = await scenario.act(client)
        await window.quiet()
    await scenario.check(outcome)
    units = [unit for unit in window.units if not (by_turn and _is_introspection(unit))]
    turns = _turns(units) if by_turn else repeat(None)
    return [Point(unit, side, turn) for unit, turn in zip(units, turns, strict=False) for side in Side]


def _is_introspection(unit: Unit) -> bool:
    # the driver asks once a connection for the shape of a type, and again to have it without JIT: which connection
    # meets an unknown type first, and whether it met it before the window, is chance
    return "typeinfo_tree" in unit.sql or "current_setting('jit')" in unit.sql


def _turns(units: Sequence[Unit]) -> Iterator[int]:
    counted: Counter[tuple[str, str]] = Counter()
    for unit in units:
        said = unit.kinds, unit.sql
        # each connection prepares its statements, and which of them does something is chance: only the first is sure
        counted[said] = 1 if unit.kinds.startswith("P") else counted[said] + 1
        yield counted[said]


def sample(points: Sequence[Point], share: float, seed: int | None = None) -> list[Point]:
    """A share of the points in their order, at least one; the seed is drawn if not given, and printed."""
    seed = random.SystemRandom().randrange(10**9) if seed is None else seed
    size = min(len(points), max(1, round(len(points) * share)))
    chosen = sorted(random.Random(seed).sample(range(len(points)), size))
    print(f"crash points: {size} of {len(points)}, seed {seed}")
    return [points[place] for place in chosen]


TRIES = 3
"""Runs in which a worker may pass a point by: what it does side by side is not the same each time."""


async def visit(scenario: Scenario[Client, Outcome], point: Point, deadline: float = 10) -> Outcome:
    """Die at one point, come back, and let the oracle judge what the client saw."""
    for _ in range(TRIES if point.turn else 1):
        client = await scenario.prepare()
        async with scenario.window() as window:
            like = point.unit if point.turn else None
            window.plan(Strike(point.turn or point.unit.number, point.side, scenario.victim, like=like))
            outcome = await scenario.act(client)
            if not (struck := await window.struck(deadline)):
                await scenario.victim()
        await scenario.restart()
        await scenario.check(outcome)
        if struck:
            return outcome
    raise NeverReached(f"never reached; sent was\n{window}")


class NeverReached(AssertionError):
    """No run came to a point. It judges the scenario, unless the point is one that a worker passes by chance."""


async def visit_all(scenario: Scenario[Client, Outcome], points: Sequence[Point], deadline: float = 10) -> None:
    """Visit each point, print how many held, and raise AssertionError that names every one that did not.

    Of what a worker does side by side some is chance, such as which endings are written together: of points with a
    turn, up to a half may never be reached.
    """
    broken, missed = [], []
    for point in points:
        try:
            await visit(scenario, point, deadline)
        except NeverReached as miss:
            (missed if point.turn else broken).append(f"{point}\n  {miss}")
        except AssertionError as breach:
            broken.append(f"{point}\n  {breach}")
        except BaseException as error:
            error.add_note(f"at crash point {point}")
            raise
    print(f"crash points held: {len(points) - len(broken) - len(missed)}/{len(points)}, never reached: {len(missed)}")
    if broken or 2 * len(missed) > len(points):
        raise AssertionError("\n".join(broken + missed))
