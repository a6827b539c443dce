"""What becomes of a purged person in each table of webhooks, and how the large ones forget an organization."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.data.sql import Run, run
from tenantry.foundation.fate import Fate, kept

TABLES: Mapping[str, Fate] = {
    "webhook_endpoints": kept("an organization's; who made one is an id, which nothing resolves once they are gone"),
    "webhook_secrets": kept("an organization's, not a person's"),
    "webhook_lanes": kept("an organization's, not a person's"),
    "webhook_due": kept("an organization's, not a person's"),
    "webhook_messages": kept("events without their details: ids, which nothing resolves once the person is gone"),
    "webhook_deliveries": kept("an organization's, not a person's"),
    "webhook_attempts": kept("what an organization's own receivers answered, let go within three months"),
}

forget_due = run("""
    delete from tenantry.webhook_due
     where org_id = :org_id
       and (endpoint_id, event_id) in (select endpoint_id, event_id
                                         from tenantry.webhook_due
                                        where org_id = :org_id
                                        limit :most)
""")
forget_deliveries = run("""
    delete from tenantry.webhook_deliveries
     where org_id = :org_id
       and (endpoint_id, event_id, at) in (select endpoint_id, event_id, at
                                             from tenantry.webhook_deliveries
                                            where org_id = :org_id
                                            limit :most)
""")
forget_attempts = run("""
    delete from tenantry.webhook_attempts
     where org_id = :org_id
       and (endpoint_id, event_id, number, at) in (select endpoint_id, event_id, number, at
                                                     from tenantry.webhook_attempts
                                                    where org_id = :org_id
                                                    limit :most)
""")
forget_messages = run("""
    delete from tenantry.webhook_messages
     where org_id = :org_id
       and (event_id, version, at) in (select event_id, version, at
                                         from tenantry.webhook_messages
                                        where org_id = :org_id
                                        limit :most)
""")
forget_endpoints = run("""
    delete from tenantry.webhook_endpoints
     where org_id = :org_id
       and id in (select id from tenantry.webhook_endpoints where org_id = :org_id limit :most)
""")

# endpoints first, and with them their lanes and secrets: nothing is put where it waits for one that is not there
ORG_TABLES: Mapping[str, Run] = {
    "webhook_endpoints": forget_endpoints,
    "webhook_due": forget_due,
    "webhook_deliveries": forget_deliveries,
    "webhook_attempts": forget_attempts,
    "webhook_messages": forget_messages,
}
"""What no cascade from a purged organization reaches, or too much for one."""
