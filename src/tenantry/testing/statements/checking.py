"""Prepares statements, has PostgreSQL analyse them and compares the columns with what they fill.

How null is found: PostgreSQL parses the body of a `begin atomic` function and keeps the analysed query, which
`nullability` reads. The function lives in the connection's temporary schema for one rolled-back savepoint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
from asyncpg.prepared_stmt import PreparedStatement

from tenantry.testing.statements.catalogue import Catalogue
from tenantry.testing.statements.faults import Fault, Statement
from tenantry.testing.statements.fields import fits, spelled, takes_none
from tenantry.testing.statements.nodes import read
from tenantry.testing.statements.nullability import Nullability

_EXAMINE = """
    create function pg_temp.statement_under_examination({types}) returns setof record
    begin atomic
    {sql}
    ; end
"""
_BODY = """
    select prosqlbody::text
      from pg_proc
     where pronamespace = pg_my_temp_schema()
       and proname = 'statement_under_examination'
"""
# shapes whose only column comes as it is
_BARE = ("value", "values")
_SPELL_TYPES = "select format_type(oid, null) from unnest($1::oid[]) with ordinality as t (oid, nth) order by nth"


async def check(
    connection: asyncpg.Connection[Any], statements: Iterable[Statement], *, needless_none: bool = False
) -> list[Fault]:
    """What is wrong with the statements; nothing is run and nothing is left behind.

    Needs PostgreSQL 16 and a role that may create temporary objects. With `needless_none`, a field that says
    None for a column that is never null is a fault as well, and so is an override that is not needed.
    """
    async with _undone(connection):
        examiner = await _Examiner.on(connection, needless_none=needless_none)
        return [Fault(one.name, sentence) for one in statements for sentence in await examiner.faults(one)]


async def columns(connection: asyncpg.Connection[Any], sql: str) -> list[Column]:
    """What a query returns, before it is run: names, types and what may be null."""
    async with _undone(connection):
        examiner = await _Examiner.on(connection, needless_none=False)
        return await examiner.columns(await connection.prepare(sql))


@asynccontextmanager
async def _undone(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """A transaction, or a savepoint in one, of which nothing stays."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer; `kind` says whether it is a scalar, an array, a range or a composite."""

    name: str
    type_name: str
    kind: str
    may_be_null: bool


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    annotation: Any


class _Examiner:
    @classmethod
    async def on(cls, connection: asyncpg.Connection[Any], *, needless_none: bool) -> _Examiner:
        if connection.get_server_version() < (16, 0):
            raise RuntimeError("checking statements needs PostgreSQL 16, the first that says what a join nulls")
        return cls(connection, await Catalogue.load(connection), needless_none)

    def __init__(self, connection: asyncpg.Connection[Any], catalogue: Catalogue, needless_none: bool) -> None:
        self._connection = connection
        self._nullability = Nullability(catalogue)
        self._needless_none = needless_none

    async def faults(self, statement: Statement) -> list[str]:
        async with _undone(self._connection):
            try:
                prepared = await self._connection.prepare(statement.sql)
            except asyncpg.PostgresError as refusal:
                return [f"PostgreSQL refuses it: {_refusal(refusal, statement.sql)}"]
            except asyncpg.UnsupportedClientFeatureError as refusal:
                return [f"asyncpg cannot read what it returns: {refusal}"]
            return await self._faults(statement, prepared)

    async def _faults(self, statement: Statement, prepared: PreparedStatement[Any]) -> list[str]:
        sentences = [*_row_faults(statement), *_parameter_faults(statement, len(prepared.get_parameters()))]
        if statement.shape == "run" or statement.row is None:
            return sentences
        return [*sentences, *_column_faults(statement, await self.columns(prepared), self._needless_none)]

    async def columns(self, prepared: PreparedStatement[Any]) -> list[Column]:
        attributes = prepared.get_attributes()
        nullable = await self._nullable(prepared) if attributes else []
        return [
            Column(attribute.name, attribute.type.name, attribute.type.kind, null)
            for attribute, null in zip(attributes, nullable, strict=True)
        ]

    async def _nullable(self, prepared: PreparedStatement[Any]) -> list[bool]:
        types = [parameter.oid for parameter in prepared.get_parameters()]
        spelled_types = await self._connection.fetch(_SPELL_TYPES, types) if types else []
        arguments = ", ".join(row[0] for row in spelled_types)
        try:
            await self._connection.execute(_EXAMINE.format(types=arguments, sql=prepared.get_query()))
        except asyncpg.FeatureNotSupportedError:
            # a utility statement (show, explain): it has columns and no query that could be traced
            return [True for _ in prepared.get_attributes()]
        return self._nullability.of(read(await self._connection.fetchval(_BODY))[0][0])


def _refusal(refusal: asyncpg.PostgresError, sql: str) -> str:
    # asyncpg-stubs do not know the fields that the server's message sets
    message, position = str(getattr(refusal, "message", refusal)), getattr(refusal, "position", None)
    if position is None:
        return message
    before, behind = sql[: int(position) - 1], sql[int(position) - 1 :].split()
    return f"{message} (line {before.count(chr(10)) + 1}, at {behind[0] if behind else 'the end'})"


def _row_faults(statement: Statement) -> Iterator[str]:
    is_struct = isinstance(statement.row, type) and issubclass(statement.row, msgspec.Struct)
    if statement.shape == "run":
        return
    if statement.row is None:
        yield f"'{statement.shape}' needs a type for what it returns"
    elif statement.shape in _BARE and is_struct:
        yield f"'{statement.shape}' returns one column as it is, which never fills {statement.row.__name__}"
    elif statement.shape not in _BARE and not is_struct:
        yield f"'{statement.shape}' fills a msgspec.Struct, which {spelled(statement.row)} is not"
    elif is_struct and (named := set(statement.row.__struct_fields__) - set(statement.row.__match_args__)):
        by_keyword = ", ".join(sorted(named))
        yield f"{statement.row.__name__} is filled by position, but {by_keyword} goes by keyword only"


def _parameter_faults(statement: Statement, used: int) -> Iterator[str]:
    if len(statement.parameters) != used:
        named = ", ".join(statement.parameters) or "none"
        yield f"the SQL uses {_count(used, 'parameter')}, but {len(statement.parameters)} are named ({named})"


def _column_faults(statement: Statement, columns: list[Column], needless_none: bool) -> Iterator[str]:
    yield from _override_faults(statement, columns, needless_none)
    fields, filled = list(_fields(statement, columns)), spelled(statement.row)
    if len(fields) != len(columns):
        yield f"{_count(len(columns), 'column')} for {_count(len(fields), 'field')} of {filled}"
        return
    misplaced = [
        f"{column.name} for {field.name}" for column, field in _pairs(columns, fields) if column.name != field.name
    ]
    if misplaced:
        yield f"the columns are not the fields of {filled} in their order: {', '.join(misplaced)}"
        return
    for column, field in _pairs(columns, fields):
        yield from _pair_faults(statement, column, field, needless_none)


def _override_faults(statement: Statement, columns: list[Column], needless_none: bool) -> Iterator[str]:
    may_be_null = {column.name: column.may_be_null for column in columns}
    for name in sorted(statement.not_null):
        if name not in may_be_null:
            yield f"{name} is declared not null, but there is no such column"
        elif needless_none and not may_be_null[name]:
            yield f"{name} is declared not null, which the schema says already"


def _fields(statement: Statement, columns: list[Column]) -> Iterator[_Field]:
    if isinstance(statement.row, type) and issubclass(statement.row, msgspec.Struct):
        for field in msgspec.structs.fields(statement.row):
            yield _Field(field.name, field.type)
    else:
        # a value has no name of its own, so whatever the column is called is right
        yield _Field(columns[0].name if columns else "", statement.row)


def _pairs(columns: list[Column], fields: list[_Field]) -> list[tuple[Column, _Field]]:
    return list(zip(columns, fields, strict=True))


def _pair_faults(statement: Statement, column: Column, field: _Field, needless_none: bool) -> Iterator[str]:
    if not fits(column.kind, column.type_name, field.annotation):
        yield f"{column.name} is {column.type_name}, which does not fit {spelled(field.annotation)}"
    if statement.shape == "value":
        # its answer may be None in any case: there may be no row
        return
    may_be_null = column.may_be_null and column.name not in statement.not_null
    if may_be_null and not takes_none(field.annotation):
        yield f"{column.name} may be null, but {spelled(field.annotation)} does not say None"
    if needless_none and not may_be_null and takes_none(field.annotation):
        yield f"{column.name} says None but can never be"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
