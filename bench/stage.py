"""The set-up every bench shares: one PostgreSQL, the targets on it, and rounds that take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.cores import Cores
from bench.database import Postgres
from bench.load import Measured, generator_name
from bench.peers.better_auth import BetterAuth
from bench.peers.fastapi_users import FastapiUsers
from bench.report import Rounds
from bench.subject import Tenantry
from bench.targets import Target

EVERY: dict[str, type[Target]] = {kind.name: kind for kind in (Tenantry, FastapiUsers, BetterAuth)}


@dataclass(frozen=True)
class Options:
    """How long and against whom."""

    seconds: float
    rounds: int
    connections: int
    targets: tuple[str, ...]
    quick: bool = False
    history: bool = False


@dataclass(frozen=True)
class Stage:
    """What a bench is handed."""

    options: Options
    cores: Cores
    postgres: Postgres

    @property
    def has_tenantry(self) -> bool:
        """Whether Tenantry itself is measured, or peers alone."""
        return Tenantry.name in self.options.targets

    def targets(self, *, only: tuple[str, ...] = tuple(EVERY)) -> list[Target]:
        """Installed targets on empty databases, in the order of the options."""
        found = [EVERY[name](self.postgres, self.cores) for name in self.options.targets if name in only]
        for target in found:
            target.install()
        return found

    @contextmanager
    def running(self, *, only: tuple[str, ...] = tuple(EVERY)) -> Iterator[list[Target]]:
        """The same, started; all of them stopped at the end."""
        targets = self.targets(only=only)
        try:
            for target in targets:
                target.start()
            yield targets
        finally:
            for target in targets:
                target.stop()

    def rounds(self, targets: list[Target], measure: Callable[[Target], Measured]) -> Rounds:
        """Measure each target once a round; who goes first changes, so that drift hits all alike."""
        found: Rounds = {target.name: [] for target in targets}
        # a turn that does not count: pools fill, Node compiles what is hot
        for target in targets:
            measure(target)
        for turn in range(self.options.rounds):
            start = turn % len(targets)
            for target in targets[start:] + targets[:start]:
                found[target.name].append(measure(target))
        return found

    def facts(self, targets: list[Target]) -> dict[str, Any]:
        """What every result file says about its run."""
        return {
            "versions": {target.name: target.versions() for target in targets},
            "postgres": {"version": self.postgres.version, **self.postgres.settings},
            "cores": {"server": sorted(self.cores.server), "others": sorted(self.cores.others)},
            "options": vars(self.options),
            "generator": generator_name(),
        }
