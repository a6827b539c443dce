"""Statements: named parameters, rows by position, and one value too few or too many is a mistake."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
import pytest

from tenantry.foundation.data.sql import many, maybe, numbered, one, run, value, values


class Pair(msgspec.Struct, frozen=True):
    """Two columns."""

    left: int
    right: str


class Opened(msgspec.Struct):
    """The least that a statement needs."""

    connection: Any


@pytest.fixture
async def opened(database_url: str) -> Any:
    """A connection in a transaction."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("begin")
    yield Opened(connection)
    await connection.close()


pair = one(Pair, "select :left::int as left, :right::text as right")
perhaps = maybe(Pair, "select 1 as left, 'x' as right where :there::bool")
pairs = many(Pair, "select number as left, 'x' as right from generate_series(1, :count::int) as number order by 1")
answer = value(int, "select 42 where :there::bool")
numbers = values(int, "select generate_series(1, :count::int)")
touch = run("create temporary table touched on commit drop as select generate_series(1, :count::int) as number")


@pytest.mark.parametrize(
    ("sql", "expected", "names"),
    [
        ("select :a, :b, :a", "select $1, $2, $1", ("a", "b")),
        ("select :a::int, x::text", "select $1::int, x::text", ("a",)),
        ("select ':a', :b", "select ':a', $1", ("b",)),
        ("select 'it''s :a', :b", "select 'it''s :a', $1", ("b",)),
        ("select 1 -- :a\n, :b", "select 1 -- :a\n, $1", ("b",)),
        ("select 1", "select 1", ()),
        ("select array[1,2][1:2], :a_1", "select array[1,2][1:2], $1", ("a_1",)),
    ],
)
def test_names_become_numbers(sql: str, expected: str, names: tuple[str, ...]) -> None:
    assert numbered(sql) == (expected, names)


async def test_rows_become_structs_by_position(opened: Any) -> None:
    assert await pair(opened, left=1, right="x") == Pair(1, "x")
    assert await perhaps(opened, there=True) == Pair(1, "x")
    assert await perhaps(opened, there=False) is None
    assert await pairs(opened, count=3) == [Pair(1, "x"), Pair(2, "x"), Pair(3, "x")]
    assert await pairs(opened, count=0) == []


async def test_single_columns_come_as_they_are(opened: Any) -> None:
    assert await answer(opened, there=True) == 42
    assert await answer(opened, there=False) is None
    assert await numbers(opened, count=3) == [1, 2, 3]


async def test_a_missing_row_where_there_must_be_one_is_a_mistake(opened: Any) -> None:
    must = one(Pair, "select 1 as left, 'x' as right where false")
    with pytest.raises(LookupError, match="test_sql"):
        await must(opened)


async def test_a_statement_without_rows_says_how_many_it_touched(opened: Any) -> None:
    assert await touch(opened, count=3) == 3
    assert await run("delete from touched where number > :least")(opened, least=1) == 2
    assert await run("set local lock_timeout = '1s'")(opened) == 0


@pytest.mark.parametrize("given", [{}, {"left": 1}, {"left": 1, "right": "x", "more": 2}, {"left": 1, "wrong": "x"}])
async def test_a_value_too_few_or_too_many_is_a_mistake(opened: Any, given: dict[str, Any]) -> None:
    with pytest.raises((TypeError, KeyError)):
        await pair(opened, **given)


async def test_values_are_never_sql(opened: Any) -> None:
    evil = "'; drop table tenantry.users; --"
    assert await pair(opened, left=1, right=evil) == Pair(1, evil)


def test_a_statement_knows_where_it_was_written() -> None:
    assert pair.name.startswith("test_sql:")
