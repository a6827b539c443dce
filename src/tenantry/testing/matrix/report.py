"""What came of it: how many requests, of which shapes, and everything that told one tenant about another."""

from __future__ import annotations

from collections import Counter

import msgspec

MOST_SHOWN = 40


class Leak(msgspec.Struct, frozen=True, order=True):
    """Something that one tenant could learn of another, or do to it."""

    operation: str
    shape: str
    role: str
    what: str
    request: str = ""

    def __str__(self) -> str:
        return f"{self.operation}, by {self.role} ({self.shape}): {self.what}\n    {self.request}"


class MatrixReport(msgspec.Struct):
    """The matrix as it was asked."""

    requests: int = 0
    seconds: float = 0.0
    roles: int = 0
    operations: Counter[str] = msgspec.field(default_factory=Counter)
    shapes: Counter[str] = msgspec.field(default_factory=Counter)
    leaks: list[Leak] = []
    uncovered: list[str] = []
    thin: list[str] = []

    @property
    def line(self) -> str:
        """The whole in one line."""
        return (
            f"cross-tenant matrix: {self.requests} requests, {len(self.operations)} operations, {self.roles} roles, "
            f"{len(self.shapes)} shapes, {self.seconds:.1f} s: {len(self.leaks)} leaks, {len(self.uncovered)} uncovered"
        )

    def __str__(self) -> str:
        uncovered = [f"not covered: {one}" for one in self.uncovered]
        return "\n".join([self.line, *uncovered, *map(str, self.leaks[:MOST_SHOWN])])


class MatrixFailed(AssertionError):
    """A tenant can learn of another or change it, or an operation in organizations was not covered."""

    def __init__(self, report: MatrixReport) -> None:
        self.report = report
        super().__init__(str(report))
