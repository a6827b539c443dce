"""Medians, spreads, tables and the result files; nothing here measures."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.load import ROOT, Measured

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Figure:
    """A median with the least and the greatest of its rounds."""

    middle: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """The figure of these rounds."""
        return cls(median(values), min(values), max(values))

    def text(self, unit: str = "") -> str:
        """For the table, with as many digits as mean something."""
        digits = 0 if abs(self.middle) >= 100 else 1 if abs(self.middle) >= 10 else 2
        return f"{self.middle:,.{digits}f}{unit} ({self.least:,.{digits}f}-{self.greatest:,.{digits}f})"

    def document(self) -> dict[str, float]:
        """As it stands in the results."""
        return {
            "median": round(self.middle, 4),
            "least": round(self.least, 4),
            "greatest": round(self.greatest, 4),
        }


@dataclass
class Goal:
    """What a bench is to reach, and what it reached."""

    text: str
    reached: float
    met: bool

    def line(self) -> str:
        """For the terminal."""
        return f"{'met   ' if self.met else 'MISSED'}  {self.text}: {self.reached:,.2f}"


@dataclass
class Outcome:
    """Everything one bench found."""

    name: str
    title: str
    tables: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)

    def show(self) -> None:
        """Print it and write `bench/results/NAME.json`."""
        print(f"\n== {self.name}: {self.title}\n")
        print("\n\n".join(self.tables))
        print("\n".join(goal.line() for goal in self.goals))
        RESULTS.mkdir(parents=True, exist_ok=True)
        goals = [vars(goal) for goal in self.goals]
        whole = {"bench": self.name, "machine": machine(), "goals": goals, **self.document}
        (RESULTS / f"{self.name}.json").write_text(json.dumps(whole, indent=1, default=str) + "\n")


Rounds = dict[str, list[Measured]]


def compared(rounds: Rounds, first: str, columns: dict[str, Callable[[Measured], float]]) -> str:
    """A table of the targets: each column's figure, then how many times better the first target is."""
    head = ["", *columns, *(f"{first} is" for _ in range(first in rounds and len(rounds) > 1))]
    lines = [head]
    for name, measured in rounds.items():
        cells = [Figure.of([read(one) for one in measured]).text() for read in columns.values()]
        if len(head) > len(cells) + 1:
            cells.append("" if name == first else f"{ratio(rounds, first, name).text()} x")
        lines.append([name, *cells])
    return table(lines)


def ratio(rounds: Rounds, first: str, other: str) -> Figure:
    """How many times the other's rate the first reaches, round by round."""
    pairs = zip(rounds[first], rounds[other], strict=True)
    return Figure.of([mine.rate / max(theirs.rate, 1e-9) for mine, theirs in pairs])


def cpu_ratio(rounds: Rounds, first: str, other: str) -> Figure:
    """How many times the first's server CPU an answer of the other takes, round by round."""
    pairs = zip(rounds[first], rounds[other], strict=True)
    return Figure.of([theirs.server_us / max(mine.server_us, 1e-9) for mine, theirs in pairs])


def table(lines: list[list[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  " + "  ".join(row).rstrip() for row in rows)


def idle_core(rounds: Rounds) -> list[str]:
    """A warning for each target that could not use its core: its rate says little, its CPU still much."""
    busy = {name: median(one.used for one in measured) for name, measured in rounds.items()}
    return [
        f"  careful: {name} used {used:.0f} % of its core (a busy machine, or too little load): compare CPU"
        for name, used in busy.items()
        if used < 85
    ]


def documents(rounds: Rounds) -> dict[str, list[dict[str, Any]]]:
    """Every round of every target, for the results."""
    return {name: [one.document() for one in measured] for name, measured in rounds.items()}


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    models = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _commit(),
    }


def _cpuinfo() -> list[str]:
    return Path("/proc/cpuinfo").read_text().splitlines()


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"
