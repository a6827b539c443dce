"""What a domain's or a plugin's part of the schema must keep to, as lists of faults: an empty one is a passing test.

assert not await wall_faults(owner, "notes")
assert not await fate_faults(owner, registry)
assert not await statement_faults(owner, "notes")

Each is asked with the owner's connection to a migrated database.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import asyncpg

from tenantry.foundation.data.migrations import CORE
from tenantry.foundation.data.sql import every_statement
from tenantry.foundation.domain import Registry
from tenantry.testing.statements import check

KEYED = "holds rows of organizations, and its key does not begin with org_id"
# each query answers the names of what is wrong; $1 is the schema
_WALLS = {
    "has no row-level security that binds its owner too": """
        select relname
          from pg_class
         where relnamespace = $1::regnamespace
           and relkind in ('r', 'p')
           and relname <> 'migration'
           and not (relrowsecurity and relforcerowsecurity)
    """,
    "has no policy": """
        select relname
          from pg_class
         where relnamespace = $1::regnamespace
           and relkind in ('r', 'p')
           and relname <> 'migration'
           and not relispartition
           and not exists (select from pg_policy where polrelid = pg_class.oid)
    """,
    KEYED: """
        select relname
          from pg_class
          join pg_attribute on attrelid = pg_class.oid and attname = 'org_id' and attnotnull
         where relnamespace = $1::regnamespace
           and relkind in ('r', 'p')
           and exists (select from pg_constraint
                        where conrelid = pg_class.oid and contype = 'p' and conkey[1] <> attnum)
    """,
    "lets the application see rows of organizations without asking tenantry.org()": """
        select tablename || '.' || policyname
          from pg_policies
          join pg_attribute on attrelid = format('%I.%I', schemaname, tablename)::regclass
                           and attname = 'org_id' and attnotnull
         where schemaname = $1
           and not roles <@ array['tenantry_system']::name[]
           and concat(qual, with_check) !~ '\\morg\\(\\)'
    """,
    "asks for its context for each row instead of once: write (select tenantry.org())": """
        select tablename || '.' || policyname
          from pg_policies
         where schemaname = $1
           and regexp_replace(concat(qual, ' ', with_check), 'SELECT (tenantry\\.)?(org|person)\\(\\)', '', 'g')
               ~ '\\m(org|person)\\(\\)'
    """,
    "reads with its owner's rights: say security_invoker": """
        select relname
          from pg_class
         where relnamespace = $1::regnamespace
           and relkind in ('v', 'm')
           and not coalesce('security_invoker=true' = any (reloptions), false)
    """,
    "runs with its owner's rights": """
        select proname
          from pg_proc
         where pronamespace = $1::regnamespace
           and prosecdef
    """,
    "can be reached past its table, or emptied": """
        select relname || ' by ' || role
          from pg_class
         cross join unnest(array['tenantry_app', 'tenantry_system']) as role
         where relnamespace = $1::regnamespace
           and relkind in ('r', 'p')
           and (has_table_privilege(role, pg_class.oid, 'truncate, references, trigger')
                or relispartition
                   and has_table_privilege(role, pg_class.oid, 'select, insert, update, delete'))
    """,
    "would keep a row of core from being purged once its plugin is gone: say on delete cascade or set null": """
        select conname
          from pg_constraint
          join pg_class on pg_class.oid = confrelid
         where connamespace = $1::regnamespace
           and contype = 'f'
           and relnamespace = 'tenantry'::regnamespace
           and relnamespace <> connamespace
           and confdeltype in ('a', 'r')
    """,
    "is open to everybody": """
        select relname
          from pg_class
         where relnamespace = $1::regnamespace
           and relkind in ('r', 'p', 'v', 'm')
           and has_table_privilege('public', pg_class.oid, 'select, insert, update, delete')
    """,
}
_TABLES = """
    select relname
      from pg_class
     where relnamespace = $1::regnamespace
       and relkind in ('r', 'p')
       and not relispartition
"""


async def wall_faults(
    owner: asyncpg.Connection[Any], schema: str = CORE.schema, *, keyed_otherwise: Collection[str] = ()
) -> list[str]:
    """What of a schema somebody could see another's rows through, or would stand in the way of a purge.

    `keyed_otherwise` are tables with a reason of their own for a key that does not begin with org_id.
    """
    return [
        f"{schema}.{row[0]} {sentence}"
        for sentence, query in _WALLS.items()
        for row in await owner.fetch(query, schema)
        if sentence != KEYED or row[0] not in keyed_otherwise
    ]


async def fate_faults(owner: asyncpg.Connection[Any], registry: Registry) -> list[str]:
    """Tables that do not say what becomes of a purged person's rows, and fates of tables that are not there."""
    there = {row[0] for row in await owner.fetch(_TABLES, CORE.schema)}
    for history in registry.histories.values():
        own = {str(row[0]) for row in await owner.fetch(_TABLES, history.schema)}
        there |= {f"{history.schema}.{name}" for name in own - {"migration"}}
    told = set(registry.fates)
    return [f"{table} has no fate" for table in sorted(there - told)] + [
        f"{table} has a fate and is not there" for table in sorted(told - there)
    ]


async def statement_faults(owner: asyncpg.Connection[Any], package: str) -> list[str]:
    """What is wrong with the typed statements of a package, as far as it is imported, beside the schema."""
    own = [statement for statement in every_statement() if statement.name.startswith(f"{package}.")]
    return [str(fault) for fault in await check(owner, own)]
