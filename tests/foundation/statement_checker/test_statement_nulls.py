"""The checker knows what may be null, and is never too sure of it: each query is run as well."""

from __future__ import annotations

import asyncpg
import pytest

from tenantry.testing.statements import columns
from tenantry.testing.statements.catalogue import Catalogue
from tenantry.testing.statements.nodes import read
from tenantry.testing.statements.nullability import Nullability

Connection = asyncpg.Connection

# each query beside its columns: n may be null, - never is
NULLS = {
    "a declared column": ("select id, email, name, seen_at from people", "--n-"),
    "columns behind a dropped one": ("select logins, handle, mood, tags from people", "--n-"),
    "system columns and whole rows": ("select ctid, orgs.tableoid, orgs from orgs", "---"),
    "inner join": ("select p.id, o.slug, o.plan from people p join orgs o on o.owner = p.id", "--n"),
    "left join": ("select p.id, o.slug from people p left join orgs o on o.owner = p.id", "-n"),
    "right join": ("select o.slug, p.id from orgs o right join people p on o.owner = p.id", "n-"),
    "full join": (
        "select p.id, o.slug from people p full join orgs o on o.owner = p.id and o.slug = 'x'",
        "nn",
    ),
    "a left join below an inner one": (
        "select g.slug, q.id from people p left join orgs g on g.owner = p.id join people q on q.id = p.id",
        "n-",
    ),
    "full join using": ("select id from people full join (select id from orgs) o using (id)", "-"),
    "full join using, one side nullable": (
        "select email from people full join (select plan as email from orgs) o using (email)",
        "n",
    ),
    "full join using, thrice": (
        "select id from people full join orgs using (id) full join gone using (id)",
        "-",
    ),
    "left join using": ("select id, slug from people left join orgs using (id)", "-n"),
    "natural right join": ("select id, slug from orgs right join people using (id)", "-n"),
    "a whole row that a join nulls": ("select o from people p left join orgs o on o.owner = p.id", "n"),
    "subquery": ("select i, n from (select id as i, name as n from people) x", "-n"),
    "lateral": ("select l.e, l.n from people p, lateral (select p.email as e, p.name as n) l", "-n"),
    "lateral left join": (
        "select l.s from people p left join lateral (select slug as s from orgs where owner = p.id) l on true",
        "n",
    ),
    "cte": ("with x as (select id, name from people) select y.id, y.name from x y", "-n"),
    "cte in a cte": (
        "with x as (select id from people), y as (select id, (select 1) as one from x) select id, one from y",
        "--",
    ),
    "outer cte from a subquery": (
        "with x as (select name from people) select n from (select name as n from x) s",
        "n",
    ),
    "recursive cte": (
        "with recursive t (a, b, c) as (select 1, 'x'::text, 0 union all select a + 1, null, a from t"
        " where a < 3) select a, b, c from t",
        "-n-",
    ),
    "recursive cte that passes a null along": (
        "with recursive t (a, b) as (select 1, null::integer union all select b, b from t where a = "
        "1) select a, b from t",
        "nn",
    ),
    "inserting cte": (
        "with x as (insert into gone values (gen_random_uuid(), 'a') returning id, note, null::text "
        "as n) select id, note, n from x",
        "--n",
    ),
    "updating cte, left joined": (
        "with x as (update orgs set plan = 'p' where false returning id, slug) select p.id, x.slug "
        "from people p left join x on true",
        "-n",
    ),
    "insert returning": (
        "insert into orgs values (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 's') "
        "returning id, slug, plan",
        "--n",
    ),
    "insert or update returning": (
        "insert into people (id, email, handle) values ('00000000-0000-0000-0000-000000000001', 'a', "
        "'a') on conflict (id) do update set email = excluded.email returning id, email, name, "
        "old.email",
        "--nn",
    ),
    "insert returning the row before": (
        "insert into gone values (gen_random_uuid(), 'a') returning old.note, new.note",
        "n-",
    ),
    "update from returning": (
        "update people p set name = 'x' from orgs o where o.owner = p.id returning p.id, p.name, o.plan, old.email",
        "-nn-",
    ),
    "delete returning": ("delete from orgs returning id, plan, old.slug, new.slug", "-n-n"),
    "merge returning": (
        "merge into orgs o using people p on o.owner = p.id when matched then update set plan = 'x' "
        "returning merge_action(), o.id, o.plan, p.id",
        "--nn",
    ),
    "union": ("select id, name from people union select id, slug from orgs", "-n"),
    "union that adds a null": ("select 1, 'a' union all select 2, null union all select 3, 'c'", "-n"),
    "intersect": ("select name from people intersect select email from people", "-"),
    "except": ("select email from people except select name from people", "-"),
    "union below a subquery": (
        "select e from (select email as e from people union select plan from orgs) x",
        "n",
    ),
    "values": ("values (1, 'a'), (2, null)", "-n"),
    "values in from": ("select a, b from (values (1, 'a'), (2, null)) v (a, b)", "-n"),
    "counts": ("select count(*), count(name), count(distinct name) from people", "---"),
    "aggregates of nothing": (
        "select max(logins), sum(logins), bool_or(logins > 0), array_agg(id), jsonb_agg(id) from gone"
        " join people using (id)",
        "nnnnn",
    ),
    "aggregates of a group": (
        "select email, max(logins), max(name), array_agg(name), bool_or(true), count(*) filter (where"
        " false), sum(logins) filter (where false) from people group by email",
        "--n---n",
    ),
    "aggregates of a left-joined group": (
        "select p.id, max(o.slug), count(o.id) from people p left join orgs o on o.owner = p.id group by p.id",
        "-n-",
    ),
    "rollup": (
        "select email, coalesce(name, ''), count(*), grouping(email) from people group by rollup "
        "(email, coalesce(name, ''))",
        "nn--",
    ),
    "grouped expressions": (
        "select logins + 1, lower(name) from people group by logins + 1, lower(name)",
        "-n",
    ),
    "window functions": (
        "select row_number() over w, rank() over w, lag(email) over w, count(name) over w, "
        "sum(logins) over w from people window w as (order by email)",
        "--n-n",
    ),
    "coalesce": (
        "select coalesce(name, email), coalesce(name, mood::text), coalesce(max(born)) from people "
        "group by name, email, mood",
        "-nn",
    ),
    "case": (
        "select case when name = 'Ann' then 'a' else 'b' end, case when name = 'Ann' then 'a' end, "
        "case logins when 0 then name else 'c' end from people",
        "-nn",
    ),
    "constants": ("select 1, 'a', true, null, null::text, array[null], row(null)", "---nn--"),
    "casts": (
        "select logins::bigint, logins::text, handle::text, name::citext, id::text, mailed::text, "
        "logins::numeric(9, 2) from people",
        "---n---",
    ),
    "casts of json": (
        "select (facts -> 'n')::text, facts ->> 'n', facts::text, 'null'::jsonb::integer from people",
        "nn-n",
    ),
    "questions": (
        "select exists (select from orgs), name is null, name is not distinct from email, (name = "
        "'x') is true, name = 'x', email = 'x', email = 'x' and logins > 0, email = 'x' or name = 'x'"
        " from people",
        "----n--n",
    ),
    "in": (
        "select email in ('a', 'b'), name in ('a', 'b'), email in ('a', null), email = any (tags), id"
        " in (select owner from orgs), email in (select name from people), name in (select slug from "
        "orgs) from people",
        "-nnn-nn",
    ),
    "scalar subqueries": (
        "select (select id from orgs where false), (select count(*) from orgs), "
        "(select max(slug) from gone, orgs), (select 1), (select count(*) from orgs having false), "
        "(select count(*) from orgs limit 0), array(select name from people), "
        "(select array[generate_series(1, 0)])",
        "n-n-nn-n",
    ),
    "correlated subqueries": (
        "select (select p.email), (select p.name), (select count(*) from orgs where owner = p.id) from people p",
        "-n-",
    ),
    "clocks and ids": (
        "select now(), tenantry.now(), current_date, current_user, current_schema, gen_random_uuid()",
        "----n-",
    ),
    "functions": (
        "select lower(email), lower(name), email || 'x', email || name, logins + 1, round(logins / "
        "2.0, 1), tenantry.shaky(1), nullif(logins, 0), greatest(name, email), greatest(name, "
        "mood::text) from people",
        "-n-n--nn-n",
    ),
    "ends of ranges": ("select lower('(,)'::int4range), lower('A')", "n-"),
    "json": (
        "select jsonb_build_object('a', name), to_jsonb(email), to_jsonb(name), to_jsonb(p), "
        "jsonb_build_array(variadic null::text[]), json_object('a': name) from people p",
        "--n-n-",
    ),
    "elements": ("select tags[1], tags, cardinality(tags), array_length(tags, 1) from people", "n--n"),
    "rows from functions": (
        "select g, u, nth from generate_series(1, 2) g, unnest(array['a', null]) with ordinality as t (u, nth)",
        "-n-",
    ),
    "rows from uneven functions": (
        "select a, b from rows from (generate_series(1, 2), generate_series(1, 3)) as t (a, b)",
        "nn",
    ),
    "rows in the select list": ("select generate_series(1, 2), generate_series(1, 3)", "nn"),
    "view": ("select id, email, name, slug from owners", "--nn"),
    "view of a view": ("select id, slug, shown from owners_again", "-n-"),
    "locking": ("select id, name from people for update skip locked", "-n"),
    "catalogues": ("select relname, reloptions from pg_class where relname = 'pg_class'", "-n"),
    "odd names": ('select 1 as "a ) }", name as ":x" from people as "p ( {"', "-n"),
    "a final semicolon and comment": ("select 1, name from people; -- done", "-n"),
}


async def nulls(connection: Connection, sql: str) -> str:
    return "".join("n" if column.may_be_null else "-" for column in await columns(connection, sql))


@pytest.mark.parametrize(("sql", "expected"), NULLS.values(), ids=NULLS)
async def test_it_knows_which_columns_may_be_null(schema: Connection, sql: str, expected: str) -> None:
    assert await nulls(schema, sql) == expected
    never = [position for position, may_be_null in enumerate(expected) if may_be_null == "-"]
    assert not [row for row in await schema.fetch(sql) for position in never if row[position] is None]


async def test_a_constraint_that_was_never_validated_promises_nothing(schema: Connection) -> None:
    await schema.execute("alter table orgs add constraint plan_is_known not null plan not valid")
    assert await nulls(schema, "select plan from orgs") == "n"


def test_what_rollup_nulls_is_known_before_postgresql_18_marks_it() -> None:
    grouped = read("""
        {QUERY :commandType 1 :setOperations <> :groupingSets ({GROUPINGSET})
         :rtable ({RANGETBLENTRY :rtekind 0 :relid 7})
         :targetList ({TARGETENTRY :ressortgroupref 0
                       :expr {VAR :varno 1 :varattno 1 :varlevelsup 0 :varnullingrels (b)}}
                      {TARGETENTRY :ressortgroupref 1 :expr {CONST :constisnull false}}
                      {TARGETENTRY :ressortgroupref 0 :expr {CONST :constisnull false}})}
    """)
    catalogue = Catalogue({"7": frozenset({1})}, {}, {}, frozenset(), frozenset())
    assert Nullability(catalogue).of(grouped) == [True, True, False]


async def test_a_parameter_may_be_null_and_what_it_is_stored_in_may_not(schema: Connection) -> None:
    assert await nulls(schema, "select $1::uuid, coalesce(name, $2), coalesce($2, email) from people") == "nn-"
    assert await nulls(schema, "insert into gone values ($1, $2) returning id, note") == "--"
    assert await nulls(schema, "update people set mailed = $1 where mailed = any($2) returning mailed") == "-"


async def test_it_refuses_a_postgresql_that_does_not_say_what_a_join_nulls(
    owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncpg.Connection, "get_server_version", lambda _: (15, 9))
    with pytest.raises(RuntimeError, match="PostgreSQL 16"):
        await columns(owner, "select 1")
