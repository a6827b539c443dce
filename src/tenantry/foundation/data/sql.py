"""Typed statements: SQL as module constants, awaited with the Work, rows by position into structs.

A statement is checked against the real schema by a test (`tenantry.testing.statements`): names, types, nullability.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from asyncpg import Connection

Row = TypeVar("Row")

_TOKEN = re.compile(r"'(?:[^']|'')*'|--[^\n]*|::|:([a-z_][a-z0-9_]*)")
_statements: list[Statement[Any]] = []


class Connected(Protocol):
    """What a statement needs: an open transaction. A Work is one."""

    @property
    def connection(self) -> Connection[Any]: ...


def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """`:name` parameters as PostgreSQL's `$n`, and the names in that order."""
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group(0)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _TOKEN.sub(place, sql), tuple(names)


class Statement(Generic[Row]):
    """One SQL statement with named parameters and, where it returns rows, the type they fill."""

    shape: ClassVar[str]
    __slots__ = ("make", "name", "not_null", "parameters", "row", "sql")

    def __init__(self, row: type[Row] | None, sql: str, not_null: Sequence[str] = ()) -> None:
        self.sql, self.parameters = numbered(sql)
        self.row = row
        self.make: Callable[..., Row] = row  # type: ignore[assignment]
        self.not_null = frozenset(not_null)
        self.name = _where_written()
        _statements.append(self)

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values in the order of their numbers; one too many is a mistake, as one too few is."""
        if len(values) != len(self.parameters):
            raise TypeError(f"{self.name} takes {self.parameters}, not {tuple(values)}")
        return [values[name] for name in self.parameters]


def _patience(work: Connected) -> float | None:
    """How many seconds a work waits for an answer, where it says so itself; else as long as its connection does."""
    found: float | None = getattr(work, "patience", None)
    return found


def _where_written() -> str:
    frame = sys._getframe(1)
    while frame.f_globals["__name__"] == __name__ and frame.f_back is not None:
        frame = frame.f_back
    return f"{frame.f_globals['__name__']}:{frame.f_lineno}"


class One(Statement[Row]):
    """Exactly one row; its absence is a mistake of ours."""

    shape = "one"
    __slots__ = ()

    async def __call__(self, work: Connected, /, **values: Any) -> Row:
        record = await work.connection.fetchrow(self.sql, *self.arguments(values), timeout=_patience(work))
        if record is None:
            raise LookupError(f"{self.name} found no row")
        return self.make(*record)


class Maybe(Statement[Row]):
    """One row or None."""

    shape = "maybe"
    __slots__ = ()

    async def __call__(self, work: Connected, /, **values: Any) -> Row | None:
        record = await work.connection.fetchrow(self.sql, *self.arguments(values), timeout=_patience(work))
        return None if record is None else self.make(*record)


class Many(Statement[Row]):
    """Any number of rows."""

    shape = "many"
    __slots__ = ()

    async def __call__(self, work: Connected, /, **values: Any) -> list[Row]:
        records = await work.connection.fetch(self.sql, *self.arguments(values), timeout=_patience(work))
        return [self.make(*record) for record in records]


class Value(Statement[Row]):
    """The only column of the only row, or None where there is no row."""

    shape = "value"
    __slots__ = ()

    async def __call__(self, work: Connected, /, **values: Any) -> Row | None:
        found: Row | None = await work.connection.fetchval(self.sql, *self.arguments(values), timeout=_patience(work))
        return found


class Values(Statement[Row]):
    """The only column of any number of rows."""

    shape = "values"
    __slots__ = ()

    async def __call__(self, work: Connected, /, **values: Any) -> list[Row]:
        records = await work.connection.fetch(self.sql, *self.arguments(values), timeout=_patience(work))
        return [record[0] for record in records]


class Run(Statement[None]):
    """A statement without rows; says how many it touched."""

    shape = "run"
    __slots__ = ()

    def __init__(self, sql: str) -> None:
        super().__init__(None, sql)

    async def __call__(self, work: Connected, /, **values: Any) -> int:
        status = await work.connection.execute(self.sql, *self.arguments(values), timeout=_patience(work))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0


one, maybe, many, value, values, run = One, Maybe, Many, Value, Values, Run


def every_statement() -> tuple[Statement[Any], ...]:
    """Each statement of the modules imported so far, for the checker."""
    return tuple(_statements)
