"""The rules on a statement's words, and the notation in which PostgreSQL hands over an analysed query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tenantry.testing.statements import clock_faults, setting_faults
from tenantry.testing.statements.nodes import Node, NodeTextError, read


@dataclass(frozen=True)
class Written:
    sql: str
    name: str = "demo.queries.written"
    row: Any = None
    shape: str = "run"
    parameters: tuple[str, ...] = ()
    not_null: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("sql", "clock"),
    [
        ("select now()", "now()"),
        ("select NOW ( )", "now()"),
        ("select pg_catalog.now()", "pg_catalog.now()"),
        ("select other.now()", "other.now()"),
        ("select 1 where seen_at<clock_timestamp()", "clock_timestamp()"),
        ("select statement_timestamp(), 1", "statement_timestamp()"),
        ("select transaction_timestamp()", "transaction_timestamp()"),
        ("select timeofday()", "timeofday()"),
        ("select current_timestamp(3)", "current_timestamp"),
        ("select Current_Date", "current_date"),
        ("select current_time", "current_time"),
        ("select localtime", "localtime"),
        ("select localtimestamp", "localtimestamp"),
        ('select "now"()', "now()"),
        ('select "pg_catalog"."now"()', "pg_catalog.now()"),
        ("select 'now'::timestamptz", "'now'::timestamptz"),
        ("select timestamp with time zone 'Today'", "timestamp with time zone 'today'"),
        ("select cast(' tomorrow ' as date)", "'tomorrow' as date"),
        ("do $body$ begin perform now(); end $body$", "now()"),
        ("select 'it''s', now()", "now()"),
        (r"select e'it\'s', now()", "now()"),
        ("select 1 /* a /* b */ c */ + now()", "now()"),
    ],
)
def test_any_clock_but_ours_is_a_fault(sql: str, clock: str) -> None:
    assert [fault.sentence for fault in clock_faults([Written(sql)])] == [
        f"{clock} is not our clock: use tenantry.now(), or tenantry.tick() for a lease"
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "select tenantry.now(), tenantry . now (), tenantry.tick()",
        "select tenantry.now() + interval '1 day' as now",
        "select now from t where t.current_date is null and is_now(1) and not_current_date",
        "select 'now()', 'it''s now()', e'it\\'s now()', $$it's fine$$ -- now()\n/* now() */",
        'select "now()", "current_date", "a""now()" from t',
        "select 1 /* a /* b */ now() */",
        "select 'now' as state, state = 'today'",
    ],
)
def test_our_clock_and_mere_words_are_no_fault(sql: str) -> None:
    assert clock_faults([Written(sql)]) == []


@pytest.mark.parametrize(
    ("sql", "setting"),
    [
        ("set role tenantry_app", "set role tenantry_app"),
        ("  SET search_path = x", "set search_path"),
        ("set session authorization x", "set session authorization x"),
        ("set time zone 'UTC'", "set time zone"),
        ("begin; set tenantry.org = 'x'", "set tenantry.org"),
        ("-- why\nset a.b = 1", "set a.b"),
        ("reset all", "reset all"),
        ("discard all", "discard all"),
        ("do $$ begin set a.b = '1'; end $$", "set a.b"),
        ("do $$ begin if true then reset role; end if; end $$", "reset role"),
        ("select set_config('a', 'b', false)", "set_config('', '', false)"),
        ("select set_config($1, $2, $3)", "set_config($1, $2, $3)"),
        (
            "select pg_catalog.set_config('a', f(1, true), is_local => false)",
            "set_config('', f(1, true), is_local => false)",
        ),
    ],
)
def test_a_setting_that_outlives_the_transaction_is_a_fault(sql: str, setting: str) -> None:
    assert [fault.sentence for fault in setting_faults([Written(sql)])] == [
        f"'{setting}' outlives the transaction and leaks through a pooler: use set local"
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "set local role tenantry_app",
        "begin; set local tenantry.org = 'x'",
        "set transaction isolation level serializable",
        "set constraints all deferred",
        "update people set name = 'set role x; reset all' where id = $1",
        "insert into people values (1) on conflict (id) do update set name = 'x'",
        "merge into a using b on true when matched then update set x = 1",
        "select set_config('a', current_setting('b', true), true)",
        "select set_config('a', concat('b', ')', 'c'), is_local => TRUE )",
        "select reset, discard from t -- ; set x",
    ],
)
def test_a_setting_that_ends_with_the_transaction_is_no_fault(sql: str) -> None:
    assert setting_faults([Written(sql)]) == []


# --- the notation ---


def test_node_text_is_read_as_nodes_lists_and_words() -> None:
    text = r"""{ALIAS :aliasname a\ \)b :colnames ("id" "" "x\"y") :value 4 [ 1 0 -3 0 ] :none <> :bits (b 3)}"""
    node = read(text)
    assert isinstance(node, Node)
    assert (node.kind, node["aliasname"], node["colnames"]) == ("ALIAS", "a )b", ["id", "", 'x"y'])
    assert (node["value"], node["none"], node["bits"], node.get("absent")) == ("4", None, ["b", "3"], None)


@pytest.mark.parametrize("text", ["", "{VAR :varno 1", "(a b", "{VAR} )", "}", "{VAR varno 1}", "{VAR :value 4 [ 1"])
def test_text_that_is_no_node_is_refused(text: str) -> None:
    with pytest.raises(NodeTextError):
        read(text)
