"""The second wall: row-level security on every table, roles that own nothing and cannot log in."""

from __future__ import annotations

import re
from typing import Any

import asyncpg

# the migrator's own note of where the schema stands: one word, nobody's data, and readable before any context is open
NO_ROWS_OF_ANYBODY = {"migration"}
ROLES = ("tenantry_app", "tenantry_system")
POWERS = ("rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication", "rolbypassrls")
CONTEXT = re.compile(r"\b(?:org|person)\(\)")
IN_A_SUBQUERY = re.compile(r"\( SELECT (?:tenantry\.)?(?:org|person)\(\)")


async def _names(owner: asyncpg.Connection[Any], query: str, *arguments: Any) -> set[str]:
    return {row[0] for row in await owner.fetch(query, *arguments)}


async def test_every_table_has_row_level_security_that_binds_its_owner_too(owner: asyncpg.Connection[Any]) -> None:
    tables = await owner.fetch(
        """
        select relname, relrowsecurity and relforcerowsecurity as walled
          from pg_class
         where relnamespace = 'tenantry'::regnamespace
           and relkind in ('r', 'p')
        """
    )
    assert len(tables) > 5
    assert {row["relname"] for row in tables if not row["walled"]} == NO_ROWS_OF_ANYBODY


async def test_every_table_that_is_reached_directly_has_a_policy(owner: asyncpg.Connection[Any]) -> None:
    bare = await _names(
        owner,
        """
        select relname
          from pg_class
         where relnamespace = 'tenantry'::regnamespace
           and relkind in ('r', 'p')
           and not relispartition
           and not exists (select from pg_policy where polrelid = pg_class.oid)
        """,
    )
    assert bare == NO_ROWS_OF_ANYBODY


async def test_every_view_reads_with_the_rights_of_whoever_asks(owner: asyncpg.Connection[Any]) -> None:
    assert not await _names(
        owner,
        """
        select relname
          from pg_class
         where relnamespace = 'tenantry'::regnamespace
           and relkind in ('v', 'm')
           and not coalesce('security_invoker=true' = any (reloptions), false)
        """,
    )


async def test_no_function_runs_with_the_rights_of_its_owner_but_the_upkeep_of_tables_and_a_look_at_time(
    owner: asyncpg.Connection[Any],
) -> None:
    found = await owner.fetch(
        """
        select proname, array(select grantee::regrole::text
                                from aclexplode(proacl)
                               where grantee <> proowner) as callers, proconfig
          from pg_proc
         where pronamespace = 'tenantry'::regnamespace and prosecdef
        """
    )
    # they make, drop and empty tables, which only their owner can, and take a name and a date, both quoted, or nothing;
    # the last one tells how old the oldest transaction is, which only its login and readers of all statistics see
    assert {row["proname"] for row in found} == {"make_month", "drop_month", "forget_answers", "oldest_snapshot"}
    for row in found:
        assert row["callers"] == ["tenantry_system"]
        assert 'search_path=""' in row["proconfig"]


async def test_the_two_roles_can_neither_log_in_nor_pass_row_level_security(owner: asyncpg.Connection[Any]) -> None:
    rows = await owner.fetch("select * from pg_roles where rolname = any ($1)", list(ROLES))
    assert {row["rolname"] for row in rows} == set(ROLES)
    for row in rows:
        powers = (
            "rolsuper",
            "rolinherit",
            "rolcreaterole",
            "rolcreatedb",
            "rolcanlogin",
            "rolreplication",
            "rolbypassrls",
        )
        assert not [power for power in powers if row[power]], row["rolname"]


async def test_the_two_roles_own_nothing(owner: asyncpg.Connection[Any]) -> None:
    assert not await _names(
        owner,
        """
        select objid::text
          from pg_shdepend
          join pg_roles on pg_roles.oid = refobjid
         where deptype = 'o'
           and rolname = any ($1)
        """,
        list(ROLES),
    )


async def test_nobody_reaches_a_partition_past_its_table(owner: asyncpg.Connection[Any]) -> None:
    assert not await _names(
        owner,
        """
        select relname || ' to ' || role
          from pg_class
         cross join unnest($1::text[]) as role
         where relispartition
           and relkind in ('r', 'p')
           and relnamespace = 'tenantry'::regnamespace
           and has_table_privilege(role, pg_class.oid, 'select, insert, update, delete, truncate')
        """,
        list(ROLES),
    )


async def test_nobody_may_empty_a_table(owner: asyncpg.Connection[Any]) -> None:
    assert not await _names(
        owner,
        """
        select relname || ' to ' || role
          from pg_class
         cross join unnest($1::text[]) as role
         where relkind in ('r', 'p')
           and relnamespace = 'tenantry'::regnamespace
           and has_table_privilege(role, pg_class.oid, 'truncate, references, trigger')
        """,
        list(ROLES),
    )


async def test_a_policy_asks_for_its_context_once_a_statement(owner: asyncpg.Connection[Any]) -> None:
    policies = await owner.fetch("select * from pg_policies where schemaname = 'tenantry'")
    rules = {(row["tablename"], row["policyname"]): f"{row['qual']} {row['with_check']}" for row in policies}
    assert [rule for rule in rules.values() if CONTEXT.search(rule)]
    # bare it is asked for each row; as a scalar subquery, once
    assert not [name for name, rule in rules.items() if CONTEXT.search(IN_A_SUBQUERY.sub("", rule))]


async def test_the_event_log_is_append_only(owner: asyncpg.Connection[Any]) -> None:
    may = await owner.fetch(
        """
        select role, privilege
          from unnest($1::text[]) as role
         cross join unnest(array['update', 'delete', 'truncate']) as privilege
         where has_table_privilege(role, 'tenantry.events', privilege)
        """,
        list(ROLES),
    )
    # what an organization did is forgotten with it, and a policy lets the house delete nothing else
    assert [tuple(row) for row in may] == [("tenantry_system", "delete")]
    policies = "select permissive, cmd, qual from pg_policies where tablename = 'events' and cmd = any ($1)"
    [policy] = await owner.fetch(policies, ["UPDATE", "DELETE"])
    assert (policy["permissive"], policy["cmd"]) == ("RESTRICTIVE", "DELETE")
    assert "purge_began_at IS NOT NULL" in policy["qual"]
