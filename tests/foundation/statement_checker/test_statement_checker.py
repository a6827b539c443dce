"""The checker against a real PostgreSQL: each kind of fault is found, and what is right passes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tenantry.testing.statements import Fault, check

Connection = asyncpg.Connection


@dataclass(frozen=True)
class Written:
    sql: str
    row: Any = None
    shape: str = "many"
    parameters: tuple[str, ...] = ()
    not_null: frozenset[str] = frozenset()
    name: str = "demo.queries.written"


def filling(**fields: Any) -> Any:
    return msgspec.defstruct("Filled", list(fields.items()))


async def sentences(connection: Connection, statement: Written, **flags: bool) -> list[str]:
    return [fault.sentence for fault in await check(connection, [statement], **flags)]


# --- names, order, number ---


class Person(msgspec.Struct):
    id: UUID
    email: str
    name: str | None


async def test_a_statement_that_fills_its_struct_has_no_fault(schema: Connection) -> None:
    written = Written("select id, email, name from people where id = $1", Person, "maybe", ("id",))
    assert await check(schema, [written]) == []


async def test_a_fault_names_the_statement(schema: Connection) -> None:
    faults = await check(schema, [Written("select nothing from people", Person)])
    assert faults == [
        Fault(
            "demo.queries.written",
            'PostgreSQL refuses it: column "nothing" does not exist (line 1, at nothing)',
        )
    ]
    assert str(faults[0]).startswith("demo.queries.written: PostgreSQL refuses it")


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("select id\n from people\n were id = 1", 'syntax error at or near "id" (line 3, at id)'),
        ("select id from", "syntax error at end of input (line 1, at the end)"),
        ("select id from people where $2 = 1", "could not determine data type of parameter $1"),
        ("select 1; select 2", "cannot insert multiple commands into a prepared statement"),
    ],
)
async def test_a_statement_that_cannot_be_prepared_is_a_fault(schema: Connection, sql: str, sentence: str) -> None:
    assert await sentences(schema, Written(sql, Person)) == [f"PostgreSQL refuses it: {sentence}"]


async def test_one_bad_statement_does_not_hide_the_next(schema: Connection) -> None:
    bad, good = Written("select", Person), Written("select id, email, name from people", Person)
    found = await check(schema, [bad, bad, good, Written("nonsense", Person)])
    assert len(found) == 3


async def test_a_swapped_select_list_is_a_fault(schema: Connection) -> None:
    assert await sentences(schema, Written("select id, name, email from people", Person)) == [
        "the columns are not the fields of Person in their order: name for email, email for name"
    ]


async def test_a_column_too_few_or_too_many_is_a_fault(schema: Connection) -> None:
    assert await sentences(schema, Written("select id, email from people", Person)) == [
        "2 columns for 3 fields of Person"
    ]
    assert await sentences(schema, Written("update people set name = 'x'", Person)) == [
        "0 columns for 3 fields of Person"
    ]
    assert await sentences(schema, Written("select 1, 2", int, "value")) == ["2 columns for 1 field of int"]


async def test_a_parameter_that_the_sql_does_not_use_is_a_fault(schema: Connection) -> None:
    written = Written("delete from orgs where id = $1", None, "run", ("id", "slug"))
    assert await sentences(schema, written) == ["the SQL uses 1 parameter, but 2 are named (id, slug)"]
    assert await sentences(schema, Written("delete from orgs where id = $1", None, "run")) == [
        "the SQL uses 1 parameter, but 0 are named (none)"
    ]


async def test_a_shape_needs_a_row_that_it_can_fill(schema: Connection) -> None:
    assert await sentences(schema, Written("select 1", None)) == ["'many' needs a type for what it returns"]
    assert await sentences(schema, Written("select 1", int, "one")) == [
        "'one' fills a msgspec.Struct, which int is not"
    ]
    one_column = msgspec.defstruct("OneColumn", [("id", UUID)])
    assert await sentences(schema, Written("select id from people", one_column, "value")) == [
        "'value' returns one column as it is, which never fills OneColumn"
    ]


async def test_a_struct_that_takes_keywords_only_cannot_be_filled_by_position(schema: Connection) -> None:
    by_keyword = msgspec.defstruct("ByKeyword", [("id", UUID)], kw_only=True)
    assert await sentences(schema, Written("select id from people", by_keyword)) == [
        "ByKeyword is filled by position, but id goes by keyword only"
    ]


# --- types ---

PersonId = NewType("PersonId", UUID)
Size = Literal["small", "large"]
Mood = StrEnum("Mood", ["calm", "cross"])
Number = Enum("Number", [("one", 1)], type=int)

FITTING = [
    ("gen_random_uuid()", UUID),
    ("gen_random_uuid()", PersonId),
    ("gen_random_uuid()", Annotated[PersonId, "a note"]),
    ("'a'::text", str),
    ("'a'::varchar(9)", NewType("Name", str)),
    ("'a'::citext", str),
    ("'a'::text", Size),
    ("'a'::text", Mood),
    ("'calm'::mood", Mood),
    ("'a@b'::address", str),
    ("true", bool),
    ("1::int2", int),
    ("1", int),
    ("1::int8", Literal[1, 2]),
    ("1", Number),
    ("1::float8", float),
    ("1::numeric", Decimal),
    ("now()", datetime),
    ("current_date", date),
    ("now() - now()", timedelta),
    ("'a'::bytea", bytes),
    ("'{}'::jsonb", str),
    ("'{}'::json", str),
    ("array['a']", list[str]),
    ("array['a']", tuple[str, ...]),
    ("array[gen_random_uuid()]", list[PersonId]),
    ("array['a'::citext]", list[str] | None),
    ("'10.0.0.1'::inet", IPv4Address | IPv6Address),
    ("pg_current_xact_id()", int),
    ("row(1)", Any),
    ("1", int | str),
]
UNFITTING = [
    ("gen_random_uuid()", str, "uuid", "str"),
    ("gen_random_uuid()", IPv4Address, "uuid", "IPv4Address"),
    ("'a'::text", PersonId, "text", "PersonId"),
    ("'a'::text", Number, "text", "Number"),
    ("'a'::text", Literal["a", 1], "text", "Literal['a', 1]"),
    ("true", int, "bool", "int"),
    ("1", bool, "int4", "bool"),
    ("1", float, "int4", "float"),
    ("1::numeric", float, "numeric", "float"),
    ("now()", date, "timestamptz", "date"),
    ("current_date", datetime, "date", "datetime"),
    ("'{}'::jsonb", dict[str, Any], "jsonb", "dict[str, Any]"),
    ("array['a']", list[int], "text[]", "list[int]"),
    ("array['a']", list, "text[]", "list"),
    ("array['a']", tuple[str, str], "text[]", "tuple[str, str]"),
    ("array['a']", str, "text[]", "str"),
    ("'a'::text", list[str], "text", "list[str]"),
    ("'10.0.0.1'::inet", IPv4Address, "inet", "IPv4Address"),
    ("row(1)", tuple[int, ...], "record", "tuple[int, ...]"),
    ("row(1)", str, "record", "str"),
    ("int4range(1, 2)", str, "int4range", "str"),
]


def casting(expression: str, annotation: Any) -> Written:
    return Written(f"select {expression} as it", filling(it=annotation), not_null=frozenset({"it"}))


async def test_a_type_that_fits_passes(schema: Connection) -> None:
    assert await check(schema, [casting(*pair) for pair in FITTING]) == []


async def test_a_type_that_does_not_fit_is_a_fault(schema: Connection) -> None:
    faults = await check(schema, [casting(*pair) for *pair, _, _ in UNFITTING])
    assert [fault.sentence for fault in faults] == [
        f"it is {type_name}, which does not fit {spelled}" for *_, type_name, spelled in UNFITTING
    ]


async def test_what_asyncpg_cannot_read_is_a_fault(schema: Connection) -> None:
    assert await sentences(schema, Written("select people as it from people", filling(it=Any))) == [
        'asyncpg cannot read what it returns: cannot decode type "public"."people": '
        "text encoding of composite types is not supported"
    ]


# --- null against the struct ---


async def test_a_nullable_column_needs_a_field_that_says_none(schema: Connection) -> None:
    sql = "select p.id, o.slug from people p left join orgs o on o.owner = p.id"
    assert await sentences(schema, Written(sql, filling(id=UUID, slug=str))) == [
        "slug may be null, but str does not say None"
    ]
    assert await sentences(schema, Written(sql, filling(id=UUID, slug=str | None))) == []


async def test_an_author_may_know_better(schema: Connection) -> None:
    row = filling(name=str)
    assert await sentences(schema, Written("select name from people", row, not_null=frozenset({"name"}))) == []
    assert await sentences(schema, Written("select name from people", row, not_null=frozenset({"nmae"}))) == [
        "nmae is declared not null, but there is no such column",
        "name may be null, but str does not say None",
    ]


async def test_needless_none_is_a_fault_only_where_it_is_asked_for(schema: Connection) -> None:
    row = filling(id=UUID | None, name=str | None)
    written = Written("select id, name from people", row, not_null=frozenset({"id"}))
    assert await sentences(schema, written) == []
    assert await sentences(schema, written, needless_none=True) == [
        "id is declared not null, which the schema says already",
        "id says None but can never be",
    ]


async def test_a_value_may_be_none_anyway(schema: Connection) -> None:
    assert await sentences(schema, Written("select max(logins) from people", int, "value")) == []
    assert await sentences(schema, Written("select max(logins) from people", str, "value")) == [
        "max is int4, which does not fit str"
    ]


# --- what PostgreSQL cannot analyse, and what is left behind ---


@pytest.mark.parametrize(
    "sql",
    [
        "set local role none",
        "lock table people",
        "notify x",
        "delete from gone",
        "select pg_advisory_xact_lock(1)",
    ],
)
async def test_a_statement_that_is_only_run_needs_no_columns(schema: Connection, sql: str) -> None:
    assert await sentences(schema, Written(sql, None, "run")) == []


async def test_every_column_of_a_utility_statement_may_be_null(schema: Connection) -> None:
    shown = filling(work_mem=str)
    assert await sentences(schema, Written("show work_mem", shown)) == [
        "work_mem may be null, but str does not say None"
    ]
    assert await sentences(schema, Written("show work_mem", shown, not_null=frozenset({"work_mem"}))) == []


async def test_nothing_is_run_and_nothing_is_left_behind(schema: Connection) -> None:
    await check(schema, [Written("delete from people returning id", filling(id=UUID)), Written("select 1, 2", Person)])
    assert await schema.fetchval("select count(*) from people") == 2
    assert await schema.fetchval("select count(*) from pg_proc where proname = 'statement_under_examination'") == 0
