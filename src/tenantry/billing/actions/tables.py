"""What becomes of a purged person in each table of billing, and how the large ones forget an organization."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.foundation.data.sql import Run, run
from tenantry.foundation.fate import Fate, kept

TABLES: Mapping[str, Fate] = {
    "billing_intents": kept("an organization's, not a person's; why somebody leaves is forgotten once Stripe has it"),
    "invoices": kept("an organization's, not a person's; whom they name stands at Stripe"),
    "stripe_reconciling": kept("when the house last compared, and how much differed; nobody's"),
    "subscriptions": kept("an organization's, not a person's"),
    "stripe_notices": kept("what one said is forgotten when it is applied, or after a month; the rest is ids"),
    "stripe_customers": kept("an organization's, not a person's"),
    "usage_reports": kept("an organization's, not a person's"),
}

forget_intents = run("""
    delete from tenantry.billing_intents
     where org_id = :org_id
       and id in (select id from tenantry.billing_intents where org_id = :org_id limit :most)
""")

forget_invoices = run("""
    delete from tenantry.invoices
     where org_id = :org_id
       and id in (select id from tenantry.invoices where org_id = :org_id limit :most)
""")

# What Stripe told of an organization is found by its customer and by nothing else, so both go at once. An organization
# is told of a few times a month, and notices are swept: one statement can take them all.
forget_customer = run("""
    with told as (
        delete from tenantry.stripe_notices
         where customer_id = (select customer_id from tenantry.stripe_customers where org_id = :org_id)
    )
    delete from tenantry.stripe_customers
     where org_id = :org_id
       and :most::integer > 0
""")

forget_usage_reports = run("""
    delete from tenantry.usage_reports
     where org_id = :org_id
       and (meter, hour, number) in (select meter, hour, number
                                       from tenantry.usage_reports
                                      where org_id = :org_id
                                      limit :most)
""")

ORG_TABLES: Mapping[str, Run] = {
    "billing_intents": forget_intents,
    "invoices": forget_invoices,
    "stripe_customers": forget_customer,
    "usage_reports": forget_usage_reports,
}
"""What may be too much for one cascade from a purged organization, and what no cascade finds."""
