"""What the client was told, and whether the database agrees: the oracle of every fault test.

A ledger knows requests only by what the client saw: acknowledged, refused, or unknown (the connection was
cut, or the answer was a 5xx). It reads no database; the test tells it what it found there after recovery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What the client knows about a request."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def fate_of(status: int | None) -> Fate:
    """The fate that an HTTP status tells; None stands for no answer at all."""
    if status is None or status >= 500:
        return Fate.UNKNOWN
    return Fate.REFUSED if status >= 400 else Fate.ACKNOWLEDGED


@dataclass(frozen=True)
class Effect:
    """One thing that was asked for, and the parts it is made of: rows, jobs, mails."""

    name: str
    parts: frozenset[str]
    repeatable: frozenset[str] = frozenset()  # parts promised at least once instead of exactly once

    def is_complete(self, found: Counter[str]) -> bool:
        return set(found) == self.parts and all(found[part] == 1 for part in self.parts - self.repeatable)


class Ledger:
    """The client's record of its requests, and the judgement of what became of them."""

    def __init__(self) -> None:
        self._effects: dict[str, Effect] = {}
        self._fates: dict[str, Fate] = {}

    def asked(self, name: str, parts: Iterable[str], repeatable: Iterable[str] = ()) -> None:
        """A request is about to be sent; until more is known its fate is unknown."""
        once = frozenset(parts)
        often = frozenset(repeatable)
        if not once | often:
            raise ValueError(f"{name} has no parts: nothing could tell whether it is there")
        self._effects[name] = Effect(name, once | often, often)
        self._fates.setdefault(name, Fate.UNKNOWN)

    def learned(self, name: str, fate: Fate) -> None:
        """The client heard about a request, perhaps on a retry; what was once acknowledged stays so."""
        if name not in self._effects:
            raise KeyError(f"{name} was never asked for")
        if self._fates[name] is not Fate.ACKNOWLEDGED:
            self._fates[name] = fate

    def fate(self, name: str) -> Fate:
        return self._fates[name]

    def breaches(self, present: Mapping[str, Iterable[str]]) -> list[str]:
        """Every broken promise, given the parts found for each name (a part found twice is listed twice)."""
        found = {name: Counter(parts) for name, parts in present.items()}
        asked = [self._breach(effect, found.get(name, Counter())) for name, effect in self._effects.items()]
        strange = [f"{name}: present, but nobody asked for it" for name in found if name not in self._effects]
        return [breach for breach in asked if breach] + strange

    def _breach(self, effect: Effect, found: Counter[str]) -> str:
        fate, found = self._fates[effect.name], +found
        may_be_absent, may_be_present = fate is not Fate.ACKNOWLEDGED, fate is not Fate.REFUSED
        if (not found and may_be_absent) or (may_be_present and effect.is_complete(found)):
            return ""
        return f"{effect.name}: {fate}, of {sorted(effect.parts)} found {dict(sorted(found.items()))}"

    def demand(self, present: Mapping[str, Iterable[str]]) -> None:
        """Raise AssertionError with every broken promise, if there is one."""
        broken = self.breaches(present)
        if broken:
            raise AssertionError("\n".join(broken))
