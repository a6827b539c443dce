"""Rates: how often somebody may ask, decided in the memory of the process, at once and with no database asked.

Of each who is counted one moment is kept (GCRA), that at which all their turns are back: a request moves it on by its
share of the time, and it is not moved further than the whole time from now. What is exact, for credentials and money,
is in `turns`; how the processes of an installation come to count together is in `shared`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from math import ceil
from typing import Final

import msgspec

from tenantry.foundation.security.rates.zone import Zone

MINUTE = timedelta(minutes=1)
EVERY = 0.2
"""Seconds, about, between two moments at which a process tells the others what was spent here, where something was."""
TOLD_FROM = 0.01
"""Share of a rate from which on the other processes are told that it was spent; less is forgotten after a minute."""
TOLD_AT_ONCE = 0.05
"""Share of a rate from which on they are told without delay."""
_NEAR = 0.5
# what is rounded in a sum of floats must not cost the last turn
_ROUNDING = 1e-3
# a clock that was set back, or a row from before that, must not keep anybody out for long
_MOST_DEBT = 10


class Policy:
    """So many turns of somebody in so much time, all at once or spread; named in headers, and counted by its name."""

    __slots__ = ("at_once", "from_here", "gap", "name", "near", "per", "reach", "shared", "span", "text", "times")

    def __init__(self, name: str, times: int, per: timedelta = MINUTE, *, shared: bool = True) -> None:
        """`shared`: over all processes of the installation, and not each for itself."""
        self.name, self.times, self.per, self.shared = name, times, per, shared
        self.span = per.total_seconds()
        self.gap = self.span / times
        self.reach = self.span + min(self.gap, 1.0) * _ROUNDING
        self.from_here, self.at_once, self.near = (self.span * part for part in (TOLD_FROM, TOLD_AT_ONCE, _NEAR))
        self.text = f'"{name}";q={times};w={ceil(self.span)}'

    def __repr__(self) -> str:
        return f"Policy({self.text})"


Asked = Sequence[tuple[Policy, str]]
NOTHING: Final[Mapping[Policy, float]] = {}


class Standing(msgspec.Struct, frozen=True):
    """How much of a policy somebody has left, and in how many seconds there is more: one turn, or else all of them."""

    policy: Policy
    left: int
    seconds: int

    @property
    def text(self) -> str:
        """As it stands in the `RateLimit` header."""
        return f'"{self.policy.name}";r={self.left};t={self.seconds}'


class Spending(msgspec.Struct, frozen=True):
    """What was spent here and not told yet, in seconds by which somebody's moment moved."""

    zone: str
    subject: str
    spent: float


class Rates:
    """What one process counts in memory. It knows policies by their names, and each sort of subject apart."""

    def __init__(self, now: Callable[[], float] = time.monotonic, *, most: int | None = None) -> None:
        """`now` says seconds; they are compared with each other only. `most` subjects are kept of each sort."""
        self.now = now
        self.hurry = asyncio.Event()
        self.keeper: asyncio.Task[None] | None = None
        self._most = most
        self._zones: dict[str, Zone] = {}
        self._told_at: float | None = None

    def decide(self, asked: Asked, cost: int = 1) -> Mapping[Policy, float]:
        """Take `cost` turns of every policy, or none of any; says which have too few, and in how long they have."""
        now, zones = self.now(), self._zones
        try:
            for policy, subject in asked:
                zone = zones[policy.name]
                at = zone.moments.get(subject)
                if at is None:
                    if len(zone.moments) >= zone.most:
                        return self.decide(self._housed(asked, now), cost)
                elif at > now and at - now + cost * policy.gap > policy.reach:
                    return self._refused(asked, cost, now)
        except KeyError:
            return self._for_the_first_time(asked, cost)
        for policy, subject in asked:
            zone, spent = zones[policy.name], cost * policy.gap
            at = zone.moments.get(subject, now)
            zone.moments[subject] = at = (at if at > now else now) + spent
            if policy.shared:
                zone.untold[subject] = untold = zone.untold.get(subject, 0.0) + spent
                if untold >= policy.from_here or at - now > policy.near:
                    zone.due.add(subject)
                    if untold >= policy.at_once:
                        self.hurry.set()
        return NOTHING

    def give_back(self, asked: Asked, cost: int = 1) -> None:
        """Take back what was taken for a request that turned out to be none of those that are counted so."""
        for policy, subject in asked:
            zone, spent = self._zones[policy.name], cost * policy.gap
            if subject in zone.moments:
                zone.moments[subject] -= spent
            if policy.shared:
                zone.untold[subject] = zone.untold.get(subject, 0.0) - spent

    def standing(self, asked: Asked) -> list[Standing]:
        """How much is left of each policy, the tightest first."""
        now, found = self.now(), []
        for policy, subject in asked:
            zone = self._zones.get(policy.name)
            depth = 0.0 if zone is None else max(0.0, zone.moments.get(subject, now) - now)
            left = max(0, int((policy.reach - depth) / policy.gap))
            wait = depth if left else depth + policy.gap - policy.span
            found.append(Standing(policy, left, ceil(wait)))
        return found if len(found) < 2 else sorted(found, key=_tightness)

    def since_told(self) -> float:
        """Seconds since this was asked last, which is when what was spent was told, or was to be."""
        before, self._told_at = self._told_at, (now := self.now())
        return 0.0 if before is None else max(0.0, now - before)

    def take_due(self, most: int) -> list[Spending]:
        """What the other processes are to be told, and whom this one is to hear of; each at most `most`."""
        taken: list[Spending] = []
        for name, zone in self._zones.items():
            while zone.due and len(taken) < most:
                subject = zone.due.pop()
                taken.append(Spending(name, subject, zone.untold.pop(subject, 0.0)))
        return taken

    def keep(self, taken: Iterable[Spending], *, passed: float) -> None:
        """What could not be told is told another time, less what came back in the time that has passed."""
        for one in taken:
            zone = self._zones[one.zone]
            if one.subject in zone.moments:
                zone.untold[one.subject] = zone.untold.get(one.subject, 0.0) + max(0.0, one.spent - passed)
                zone.due.add(one.subject)

    def learn(self, told: Spending, *, depth: float, at: float) -> None:
        """Go on from what is true of somebody in all processes: `depth` seconds until all turns were back, as of `at`.

        What others will spend until it is heard of again is not guessed: it is waited for afterwards, as a debt.
        """
        zone = self._zones[told.zone]
        if told.subject in zone.moments:
            spent_since = zone.untold.get(told.subject, 0.0)
            zone.moments[told.subject] = at + min(depth, _MOST_DEBT * zone.span) + spent_since

    def forget(self) -> None:
        """Let go of those of whom there is nothing to say, and of what was too little to be told."""
        now = self.now()
        for zone in self._zones.values():
            zone.forget(now)

    async def stop(self) -> None:
        """Count on alone."""
        if self.keeper is not None:
            self.keeper.cancel()
            await asyncio.gather(self.keeper, return_exceptions=True)
            self.keeper = None

    def _for_the_first_time(self, asked: Asked, cost: int) -> Mapping[Policy, float]:
        for policy, _ in asked:
            if policy.name not in self._zones:
                self._zones[policy.name] = Zone(policy.span, self._most)
        return self.decide(asked, cost)

    def _housed(self, asked: Asked, now: float) -> Asked:
        return [(policy, self._zones[policy.name].housed(subject, now)) for policy, subject in asked]

    def _refused(self, asked: Asked, cost: int, now: float) -> Mapping[Policy, float]:
        refused = {}
        for policy, subject in asked:
            zone = self._zones[policy.name]
            spent, depth = cost * policy.gap, zone.moments.get(subject, now) - now
            if depth > _MOST_DEBT * policy.span:
                zone.moments[subject] = now + policy.span
                depth = policy.span
            if depth > 0 and depth + spent > policy.reach:
                # what costs more than there ever is waits for all of it, and leaves a debt
                refused[policy] = depth + min(spent, policy.span) - policy.span
        return refused


def _tightness(one: Standing) -> int:
    return one.left
