"""Reads of billing; most are the house's, because what Stripe tells belongs to no session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tenantry.billing.models import Billed, Intent, Invoice, Notice, OfOrg, Position, Subscription, UsageReport
from tenantry.foundation.data.sql import many, maybe, run, value, values
from tenantry.foundation.listing import Listing
from tenantry.foundation.work import Work
from tenantry.usage.models import Period

_SUBSCRIPTION = """
    select id, customer_id, status, plan_key, plan_version, price_id, item_id, quantity, period_start, period_end,
           trial_end, cancel_at, cancel_at_period_end, ended_at, past_due_since, latest_invoice_id, collection_paused,
           collection_resumes_at, created_at, trial_told_for, duplicate_of, fetched, "interval", currency, unit_amount,
           schedule_id, later_price_id, later_plan, later_version, later_interval, later_quantity, later_at
      from tenantry.subscriptions
"""
_INVOICE = """
    select id, customer_id, subscription_id, number, status, currency, total, amount_due, amount_paid,
           amount_remaining, attempts, next_attempt_at, hosted_url, pdf_url, due_at, paid_at, created_at, refunded,
           disputed, fetched, paid_with
      from tenantry.invoices
"""
_INTENT = """
    select id, org_id, kind, attempt, params::text as params, state, foreign_id, url, expires_at, asked
      from tenantry.billing_intents
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

hold_customer_of_org = run("select from tenantry.stripe_customers where org_id = :org_id for update")

hold_org = run("select from tenantry.orgs where id = :org_id for no key update")

customer_of_subscription = value(str, "select customer_id from tenantry.subscriptions where id = :id")

# whose organization is closed for good, unless it was seen since that nothing goes on for it
customer_to_end = value(
    str,
    """
    select customer_id
      from tenantry.stripe_customers
      join tenantry.orgs on orgs.id = org_id
     where org_id = :org_id
       and gone_at is null
       and purge_at <= tenantry.now()
       and (ended_at is null or ended_at < purge_at)
    """,
)

# what is paid for again although its organization is closed
going_on_closed = values(
    str,
    """
    select subscriptions.id
      from tenantry.subscriptions
      join tenantry.orgs on orgs.id = org_id
     where org_id = :org_id
       and closed_at is not null
       and status in ('active', 'trialing')
       and cancel_at is null
       and not cancel_at_period_end
     order by subscriptions.id
    """,
)

# one of the test mode is none any more once real money moves
customer_of_org = value(
    str,
    """
    select customer_id
      from tenantry.stripe_customers
     where org_id = :org_id
       and gone_at is null
       and (livemode or not :live)
    """,
)

subscriptions_of_org = many(Subscription, f"{_SUBSCRIPTION} where org_id = :org_id order by created_at, id")

subscriptions_by_ids = many(Subscription, f"{_SUBSCRIPTION} where id = any(:ids::text[])")

orgs_of_subscriptions = many(
    OfOrg, "select org_id, id from tenantry.subscriptions where id = any(:ids::text[]) order by org_id, id"
)

subscription_of_org = maybe(Subscription, f"{_SUBSCRIPTION} where org_id = :org_id and id = :id")

invoices_by_ids = many(Invoice, f"{_INVOICE} where id = any(:ids::text[])")

customers_known = values(
    str, "select customer_id from tenantry.stripe_customers where customer_id = any(:customer_ids::text[])"
)

# what a list of Stripe's did not answer for
live_not_asked_since = values(
    str,
    """
    select id
      from tenantry.subscriptions
     where status not in ('canceled', 'incomplete_expired')
       and fetched < :place
       and id > :after
     order by id
     limit :rows
    """,
)

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

intent_of_org = maybe(Intent, f"{_INTENT} where org_id = :org_id and id = :id", not_null=("params",))

intent_under_way = maybe(
    Intent,
    f"""{_INTENT}
     where org_id = :org_id
       and kind = :kind
       and state in ('asked', 'open')
    """,
    not_null=("params",),
)

# the longer Stripe has not answered, the more seldom it is asked
stale_intents = many(
    Intent,
    f"""{_INTENT}
     where state = 'asked' and asked_at < tenantry.now() - attempt * make_interval(secs => :within)
        or state = 'open' and expires_at < tenantry.now() - make_interval(secs => :within)
     order by asked_at
     limit :most
    """,
    not_null=("params",),
)

# by the database's clock, which is the one that jobs wait by; none where it is not restricted, now or ahead
seconds_to_restriction = value(
    float,
    """
    select extract(epoch from restricted_from - tenantry.now())::float8
      from tenantry.orgs
     where id = :org_id
    """,
)

# said once more of an organization that was restricted when it was said, by another moment that has come too
restricted_already = value(
    bool,
    """
    select exists (
        select from tenantry.events as said
         where said.org_id = :org_id
           and said.kind = 'orgs.org_restricted'
           and (said.payload ->> 'version_after')::integer = :version
           and (said.payload ->> 'restricted_from')::timestamptz <= said.at
           and (select (before.payload ->> 'restricted_from')::timestamptz <= said.at
                  from tenantry.events as before
                 where before.org_id = :org_id
                   and before.kind in ('orgs.org_restricted', 'orgs.org_unrestricted')
                   and (before.payload ->> 'version_after')::integer < :version
                 order by before.at desc, before.id desc
                 limit 1))
    """,
)

had_trial = value(
    bool, "select exists (select from tenantry.subscriptions where org_id = :org_id and trial_end is not null)"
)

# a draft is no invoice yet: it changes without a word, or is deleted
invoices_newest_first = many(
    Invoice,
    f"""{_INVOICE}
     where org_id = tenantry.org()
       and status <> 'draft'
       and (created_at, id) < (coalesce(:after_key, 'infinity'::timestamptz), coalesce(:after_id::text, ''))
     order by created_at desc, id desc
     limit :rows
    """,
)

invoices = Listing("billing.invoices", {"-created_at": invoices_newest_first})

# what was tried in vain and is still to be paid, the newest first
unpaid_invoice = maybe(
    Invoice,
    f"""{_INVOICE}
     where org_id = :org_id
       and status in ('open', 'uncollectible')
       and attempts > 0
       and amount_remaining > 0
     order by created_at desc, id desc
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

notices_heard = values(str, "select id from tenantry.stripe_notices where id = any(:ids::text[])")

heard_until = maybe(
    Position, "select extract(epoch from heard_until)::bigint as heard_until from tenantry.stripe_reconciling"
)

# A payment that fails before its subscription has begun is told to somebody who sits before it, and by no mail. Nothing
# happened to an invoice before it was made; a clock at Stripe that was moved may be ahead of ours.
payment_failed_before = value(
    bool,
    """
    select exists (
        select from tenantry.events as failed
         where failed.org_id = :org_id
           and failed.at >= least(:since::timestamptz, tenantry.now()) - interval '1 day'
           and failed.kind = 'billing.payment_failed'
           and failed.payload ->> 'invoice' = :invoice_id
           and not exists (
               select from tenantry.events as started
                where started.org_id = :org_id
                  and started.at >= failed.at
                  and (started.epoch, started.tx) > (failed.epoch, failed.tx)
                  and started.kind = 'billing.subscription_started'
                  and started.payload ->> 'subscription' = failed.payload ->> 'subscription'))
    """,
)

subscription_had_begun = value(
    bool,
    """
    select exists (
        select from tenantry.events
         where org_id = :org_id
           and at >= least(:since::timestamptz, tenantry.now()) - interval '1 day'
           and kind = 'billing.subscription_started'
           and payload ->> 'subscription' = :subscription_id)
    """,
)

restricted_from = value(datetime, "select restricted_from from tenantry.orgs where id = :org_id")

# no longer than Stripe remembers what it heard: said again after that, it would count twice
unheard_reports = many(
    UsageReport,
    """
    select usage_reports.org_id, id, customer_id, meter, hour, quantity
      from tenantry.usage_reports
      join tenantry.stripe_customers using (org_id)
     where heard_at is null
       and asked_at > tenantry.now() - interval '23 hours'
       and meter = any (:meters::text[])
       and gone_at is null
       and (livemode or not :live)
     order by asked_at, hour, id
     limit :most
    """,
)

# a period that was begun is billed to its end, whatever becomes of its subscription; the live one's comes first
billed = many(
    Billed,
    """
    select distinct on (org_id) org_id, period_start, period_end
      from tenantry.subscriptions
     where org_id = any (:orgs::uuid[])
       and period_start <= :at
       and period_end > :at
       and duplicate_of is null
       and status not in ('incomplete', 'incomplete_expired')
     order by org_id, status <> 'canceled' desc, created_at desc, id desc
    """,
    not_null=("period_start", "period_end"),
)


async def periods_billed(work: Work, orgs: Sequence[UUID], at: datetime) -> Mapping[UUID, Period]:
    """Which period each of these organizations is billed for at a moment; those without a subscription are left out."""
    found = await billed(work, orgs=orgs, at=at)
    return {one.org_id: Period(one.period_start, one.period_end) for one in found}
