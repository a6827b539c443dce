"""What goes into the checker and what comes out of it: a statement, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class Statement(Protocol):
    """What the checker has to know of a typed statement; those of `foundation.data.sql` fit."""

    @property
    def name(self) -> str: ...
    @property
    def sql(self) -> str: ...
    @property
    def parameters(self) -> tuple[str, ...]: ...
    @property
    def shape(self) -> str: ...
    @property
    def row(self) -> Any: ...
    @property
    def not_null(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one statement."""

    statement: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.statement}: {self.sentence}"
