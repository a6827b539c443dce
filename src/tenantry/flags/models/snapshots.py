"""Snapshots: all flags at one moment, ready to be asked. A new one takes the place of the old at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from tenantry.flags.models.compiling import Flag, compiled
from tenantry.flags.models.definitions import Definition, chain_fault, declared
from tenantry.flags.models.flags import Override, StoredFlag
from tenantry.foundation.flag import FlagDeclaration

Times = dict[str, list[int]]


class Snapshot:
    """Flags by their keys. `broken` are those that this code cannot read, each with the reason."""

    __slots__ = ("broken", "flags", "loaded", "needs_plan")

    def __init__(self, flags: Mapping[str, Flag], broken: Mapping[str, str], *, loaded: bool) -> None:
        self.flags = flags
        self.broken = broken
        self.loaded = loaded
        self.needs_plan = any(flag.needs_plan for flag in flags.values())


def snapshot(
    declarations: Iterable[FlagDeclaration],
    stored: Iterable[StoredFlag],
    overrides: Iterable[Override],
    *,
    times: Times,
    loaded: bool = True,
) -> Snapshot:
    """The flags that are declared, in their stored form where they have one, and those that are stored only."""
    making = _Making(declarations, stored, overrides, times)
    return Snapshot({key: making.flag(key) for key in making.known}, making.broken, loaded=loaded)


class _Making:
    """Makes each flag once, what it needs before it; what would need itself is broken."""

    def __init__(
        self,
        declarations: Iterable[FlagDeclaration],
        stored: Iterable[StoredFlag],
        overrides: Iterable[Override],
        times: Times,
    ) -> None:
        self.broken: dict[str, str] = {}
        self.known: dict[str, Definition | None] = {flag.key: declared(flag) for flag in declarations}
        self._killed: set[str] = set()
        self._own: dict[str, dict[UUID, str]] = defaultdict(dict)
        self._made: dict[str, Flag] = {}
        self._times = times
        for row in stored:
            self.known[row.key] = self._read(row)
            if row.killed:
                self._killed.add(row.key)
        for override in overrides:
            self._own[override.flag_key][override.org_id] = override.variant
        self._needs = {key: one.needs for key, one in self.known.items() if one is not None}

    def flag(self, key: str) -> Flag:
        """A flag, made now unless it was before."""
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def _read(self, row: StoredFlag) -> Definition | None:
        try:
            definition = row.definition
        except (ValueError, TypeError) as error:
            self.broken[row.key] = str(error)
            return None
        if faults := list(definition.faults()):
            self.broken[row.key] = faults[0]
            return None
        return definition

    def _make(self, key: str) -> Flag:
        definition, times = self.known.get(key), self._times.setdefault(key, [0])
        if definition is not None and (fault := chain_fault(self._needs, key)):
            self.broken[key] = fault
            definition = None
        if definition is None:
            return Flag("boolean", None, visible=False, needs_plan=False, times=times)
        own = {org: variant for org, variant in self._own[key].items() if variant in definition.variants}
        killed = key in self._killed
        decide = compiled(key, definition, killed=killed, overrides=own, other=self._other)
        return Flag(
            definition.kind, decide, visible=definition.visible,
            needs_plan=not killed and self._needs_plan(definition), times=times,
        )  # fmt: skip

    def _other(self, key: str) -> Flag | None:
        # one that is not there, or is broken, gives no variant that anybody could wait for
        return None if key not in self.known else self.flag(key)

    def _needs_plan(self, definition: Definition) -> bool:
        tests = (test.about for rule in definition.rules for test in rule.when)
        return "plan" in tests or any(self.flag(key).needs_plan for key in definition.needs if key in self.known)


def asked_most(times: Times, told: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    """How often each flag was asked for since it was told last."""
    return [(key, count) for key, [now] in times.items() if (count := now - told.get(key, 0)) > 0]
