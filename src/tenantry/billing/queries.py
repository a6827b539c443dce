"""Reads of billing; most are the house's, because what Stripe tells belongs to no session."""

from __future__ import annotations

from uuid import UUID

from tenantry.billing.models import Invoice, Notice, Subscription
from tenantry.foundation.data.sql import many, maybe, value

_SUBSCRIPTION = """
    select id, customer_id, status, plan_key, plan_version, price_id, item_id, quantity, period_start, period_end,
           trial_end, cancel_at, cancel_at_period_end, ended_at, past_due_since, latest_invoice_id, collection_paused,
           collection_resumes_at, created_at, trial_told_for, duplicate_of, fetched
      from tenantry.subscriptions
"""
_INVOICE = """
    select id, customer_id, subscription_id, number, status, currency, total, amount_due, amount_paid,
           amount_remaining, attempts, next_attempt_at, hosted_url, pdf_url, due_at, paid_at, created_at, refunded,
           disputed, fetched, paid_with
      from tenantry.invoices
"""

# whoever applies something holds this row first, so that of two there is one that comes second
org_of_customer_for_update = value(
    UUID,
    """
    select org_id
      from tenantry.stripe_customers
     where customer_id = :customer_id
       for update
    """,
)

customer_of_subscription = value(str, "select customer_id from tenantry.subscriptions where id = :id")

subscriptions_of_org = many(Subscription, f"{_SUBSCRIPTION} where org_id = :org_id order by created_at, id")

# the live one that doubles none, or else the one that was made last
subscription_in_force = maybe(
    Subscription,
    f"""{_SUBSCRIPTION}
     where org_id = :org_id
       and duplicate_of is null
     order by status not in ('incomplete', 'incomplete_expired', 'canceled') desc, created_at desc, id desc
     limit 1
    """,
)

invoice_of_org = maybe(Invoice, f"{_INVOICE} where org_id = :org_id and id = :id")

NOTICE = """
    select id, number, type, api_version, subject, subject_id, customer_id, state, attempts, last_error, received_at,
           handled_at
      from tenantry.stripe_notices
"""

notices_newest_first = many(
    Notice,
    f"""{NOTICE}
     where (:state::text is null or state = :state)
     order by received_at desc, id desc
     limit :rows
    """,
)

notice = maybe(Notice, f"{NOTICE} where id = :id")
notice_payload = value(str, "select payload from tenantry.stripe_notices where id = :id")
