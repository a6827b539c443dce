"""Tables of tenants: keyed, tied together and walled by the organization, or listed here with the reason why not."""

from __future__ import annotations

import re
from typing import Any

import asyncpg

# whose rows are not an organization's in the first place, or are found before it is known
KEYED_OTHERWISE = {
    "audit_log": "as events",
    "dead_letters": "the house's queue, of which an application reads nothing; jobs of no organization are in it too",
    "details": "beside a row of one of the logs, whose id is its key",
    "events": "the house's log, cut by time; what belongs to no organization is in it too",
    "job_reports": "cut by time and found by the job's id; a person's own jobs are in it too",
    "job_runs": "as dead letters",
    "jobs": "as dead letters",
    "org_slugs": "a slug is looked for before its organization is known",
    "sessions": "a person's, which says where it is at work",
}
UNIQUE_EVERYWHERE = {
    "audit_log_key": "a time and an id of 122 random bits",
    "details_key": "as that of the row that it stands beside",
    "one_api_key_per_id": "an id of 122 random bits, which an operator names without its organization",
    "one_api_key_per_secret": "a digest of 256 random bits, by which whoever shows a key is told from others",
    "one_denial_a_minute": "its key names the organization",
    "events_key": "a time and a number that the database gives",
    "dead_letters_key": "an id that nobody outside learns",
    "job_reports_key": "a time and an id that who asked was told, beside 74 random bits",
    "job_runs_key": "as that of dead letters",
    "jobs_key": "as that of dead letters",
    "one_invite_per_link": "an id of 122 random bits, which the mailed link names before its organization is known",
    "one_org_per_slug": "slugs are addresses of the whole house: the one name that may be known to be taken",
    "sessions_key": "an id of 122 random bits, a person's",
    "one_intent_per_thing": "Stripe's id, which Stripe alone gives out",
    "one_org_per_customer": "Stripe's id, which Stripe alone gives out: of two tenants one would be billed for both",
    "one_row_per_invoice": "Stripe's id, and an invoice of two tenants would be a mistake to be seen at once",
    "one_row_per_subscription": "as that of an invoice",
    "one_webhook_endpoint_per_id": "an id of 122 random bits, which an operator names without its organization",
    "one_webhook_secret_per_id": "the same, of which nobody is told",
    "one_waiting_job_per_key": "within a lane, which is the organization",
}
# as PostgreSQL writes it again: with its schema or without
ASKS_FOR_IT = re.compile(r"\borg\(\)")
ORG_TABLES = """
    select pg_class.oid, relname
      from pg_class
      join pg_attribute on attrelid = pg_class.oid and attname = 'org_id' and not attisdropped
     where relnamespace = 'tenantry'::regnamespace
       and relkind in ('r', 'p')
       and not relispartition
"""


async def _rows(owner: asyncpg.Connection[Any], query: str) -> list[asyncpg.Record]:
    return list(await owner.fetch(f"with org_tables as ({ORG_TABLES}) {query}"))


async def test_the_organization_comes_first_in_every_key(owner: asyncpg.Connection[Any]) -> None:
    keys = await _rows(
        owner,
        """
        select relname, attname::text as first
          from org_tables
          left join pg_index on indrelid = oid and indisprimary
          left join pg_attribute on attrelid = oid and attnum = indkey[0]
        """,
    )
    assert len(keys) > len(KEYED_OTHERWISE)
    otherwise = {row["relname"] for row in keys if row["first"] != "org_id"}
    assert otherwise <= KEYED_OTHERWISE.keys(), "say in this list why its key does not begin with org_id"
    assert KEYED_OTHERWISE.keys() <= otherwise, "take it off the list"


async def test_what_is_unique_is_so_within_an_organization(owner: asyncpg.Connection[Any]) -> None:
    unique = await _rows(
        owner,
        """
        select pg_class.relname as name,
               'org_id' = any (array(select attname::text from pg_attribute
                                      where attrelid = org_tables.oid and attnum = any (indkey))) as scoped
          from org_tables
          join pg_index on indrelid = org_tables.oid and indisunique
          join pg_class on pg_class.oid = indexrelid
        """,
    )
    everywhere = {row["name"] for row in unique if not row["scoped"]}
    assert everywhere <= UNIQUE_EVERYWHERE.keys(), "say in this list why it may tell one tenant of another"
    assert UNIQUE_EVERYWHERE.keys() <= everywhere, "take it off the list"


async def test_tables_of_tenants_are_tied_together_by_the_organization(owner: asyncpg.Connection[Any]) -> None:
    loose = await _rows(
        owner,
        """
        select conname
          from pg_constraint
          join org_tables as child on child.oid = conrelid
          join org_tables as parent on parent.oid = confrelid
         where contype = 'f'
           and not exists (select
                             from unnest(conkey, confkey) as pair (mine, theirs)
                             join pg_attribute as own on own.attrelid = conrelid and own.attnum = mine
                             join pg_attribute as other on other.attrelid = confrelid and other.attnum = theirs
                            where own.attname = 'org_id' and other.attname = 'org_id')
        """,
    )
    assert not [row["conname"] for row in loose]


async def test_no_organization_can_go_and_leave_rows_of_its_own_behind(owner: asyncpg.Connection[Any]) -> None:
    free = await _rows(
        owner,
        """
        select relname
          from org_tables
         where not exists (select
                             from pg_constraint
                             join pg_attribute on attrelid = conrelid and attname = 'org_id' and attnum = any (conkey)
                            where contype = 'f' and conrelid = org_tables.oid)
        """,
    )
    # the house's logs and queue outlive an organization until they are purged with it
    logs, queue = {"events", "audit_log", "details"}, {"jobs", "job_runs", "dead_letters", "job_reports"}
    usage = {"usage_events", "usage_keys"}
    webhooks = {"webhook_messages", "webhook_due", "webhook_deliveries", "webhook_attempts"}
    insights = {"insight_orgs", "insight_movements", "insight_subscriptions"}
    assert {row["relname"] for row in free} <= logs | queue | usage | webhooks | insights


# whoever shows a key's secret may read which organization it is of, and is told so by a 404 and not by a 401
OWN_WITNESS = {"api_key_secrets.presented"}


async def test_every_policy_of_a_tenants_table_asks_for_the_organization(owner: asyncpg.Connection[Any]) -> None:
    policies = await _rows(
        owner,
        """
        select tablename || '.' || policyname as name, qual, with_check
          from org_tables
          join pg_policies on schemaname = 'tenantry' and tablename = relname
         where 'tenantry_app' = any (roles)
           and relname <> 'sessions'
        """,
    )
    assert len(policies) > 4
    for row in policies:
        said = [rule for rule in (row["qual"], row["with_check"]) if rule is not None]
        assert said, row["name"]
        if row["name"] in OWN_WITNESS:
            continue
        assert all(ASKS_FOR_IT.search(rule) for rule in said), row["name"]
