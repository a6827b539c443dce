"""What a database promises about null, read once: its schema and what `promises` lists."""

from __future__ import annotations

from typing import Any

import asyncpg

from tenantry.testing.statements import promises
from tenantry.testing.statements.nodes import Node, read

_NOT_NULL = """
    select a.attrelid::text as relation, array_agg(a.attnum::int) as columns
      from pg_attribute a
     where a.attnotnull
       and not a.attisdropped
       and not exists (select
                         from pg_constraint c
                        where c.conrelid = a.attrelid and c.contype = 'n' and not c.convalidated
                          and c.conkey = array[a.attnum])
     group by a.attrelid
"""
_VIEWS = """
    select r.ev_class::text as view, r.ev_action::text as action
      from pg_rewrite r
      join pg_class c on c.oid = r.ev_class
     where r.rulename = '_RETURN'
       and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
"""
# lower and upper of a range are null where the range has no end, hence no functions over ranges
_FUNCTIONS = """
    select p.oid::text as oid,
           case n.nspname when 'pg_catalog' then '' else n.nspname || '.' end || p.proname as name
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
     where (n.nspname = 'pg_catalog' and p.proname = any($1::text[])
            or n.nspname || '.' || p.proname = any($1::text[]))
       and not p.proargtypes::oid[] && '{anyrange,anymultirange}'::regtype[]::oid[]
"""
# a cast from json answers null for the json null, hence none of those
_CASTS = """
    select castfunc::text
      from pg_cast
     where castfunc <> 0
       and castsource not in ('json'::regtype, 'jsonb'::regtype)
       and castfunc < 16384
"""
_OPERATORS = """
    select o.oid::text
      from pg_operator o
     where o.oprname = any($1::text[])
       and (o.oprnamespace = 'pg_catalog'::regnamespace
            or exists (select
                         from pg_depend d
                        where d.classid = 'pg_operator'::regclass and d.objid = o.oid and d.deptype = 'e'))
"""


class Catalogue:
    """Which columns, functions and operators never answer null."""

    def __init__(
        self,
        columns: dict[str, frozenset[int]],
        views: dict[str, str],
        functions: dict[str, str],
        casts: frozenset[str],
        operators: frozenset[str],
    ) -> None:
        self._columns = columns
        self._view_texts = views
        self._views: dict[str, Node] = {}
        self._functions = functions
        self._casts = casts
        self._operators = operators

    @classmethod
    async def load(cls, connection: asyncpg.Connection[Any]) -> Catalogue:
        """Read it all; a handful of queries, whatever the number of statements."""
        columns = await connection.fetch(_NOT_NULL)
        views = await connection.fetch(_VIEWS)
        functions = await connection.fetch(_FUNCTIONS, sorted(promises.FUNCTIONS))
        return cls(
            {row["relation"]: frozenset(row["columns"]) for row in columns},
            {row["view"]: row["action"] for row in views},
            {row["oid"]: row["name"] for row in functions},
            frozenset(row[0] for row in await connection.fetch(_CASTS)),
            frozenset(row[0] for row in await connection.fetch(_OPERATORS, sorted(promises.OPERATORS))),
        )

    def promises_column(self, relation: str, column: int) -> bool:
        """Whether a table's column is declared not null."""
        return column in self._columns.get(relation, ())

    def view(self, relation: str) -> Node | None:
        """The query behind a view, or None for what is not one."""
        if relation not in self._views and relation in self._view_texts:
            self._views[relation] = read(self._view_texts[relation])[0]
        return self._views.get(relation)

    def function(self, oid: str) -> str:
        """The name under which a function is listed here, or nothing."""
        return self._functions.get(oid, "")

    def promises_function(self, oid: str) -> bool:
        """Whether a function answers null only for a null."""
        return oid in self._casts or self.function(oid) in promises.FAITHFUL

    def promises_operator(self, oid: str) -> bool:
        """Whether an operator answers null only for a null."""
        return oid in self._operators
