"""Stripe behind plain functions: each takes the runtime, asks one thing, and answers a shape or fails in four ways."""

from __future__ import annotations

from tenantry.billing.stripe.account import DEADLINE, VERSION, StripeAccount, account
from tenantry.billing.stripe.catalogue import (
    attach_feature,
    change,
    detach_feature,
    every_feature,
    every_product,
    features_of,
    find_price,
    make,
    prices_named,
    prices_of,
)
from tenantry.billing.stripe.customers import (
    create_checkout,
    create_customer,
    create_portal,
    expire_checkout,
    fetch_checkout,
    fetch_customer,
)
from tenantry.billing.stripe.errors import Declined, Misconfigured, Refused, StripeFailed, Unreachable
from tenantry.billing.stripe.happenings import MOST_TYPES, events_page
from tenantry.billing.stripe.invoices import fetch_invoice, fetch_payment, invoices_of, payments_of, refund_payment
from tenantry.billing.stripe.schedules import begin_schedule, plan_phases, release_schedule
from tenantry.billing.stripe.subscriptions import (
    cancel_at_period_end,
    change_subscription,
    end_subscription,
    every_subscription,
    fetch_subscription,
    preview_change,
    resume_subscription,
    subscriptions_of,
    subscriptions_page,
    take_end_back,
)
from tenantry.billing.stripe.usage import report_usage

__all__ = [
    "DEADLINE",
    "MOST_TYPES",
    "VERSION",
    "Declined",
    "Misconfigured",
    "Refused",
    "StripeAccount",
    "StripeFailed",
    "Unreachable",
    "account",
    "attach_feature",
    "begin_schedule",
    "cancel_at_period_end",
    "change",
    "change_subscription",
    "create_checkout",
    "create_customer",
    "create_portal",
    "detach_feature",
    "end_subscription",
    "events_page",
    "every_feature",
    "every_product",
    "every_subscription",
    "expire_checkout",
    "features_of",
    "fetch_checkout",
    "fetch_customer",
    "fetch_invoice",
    "fetch_payment",
    "fetch_subscription",
    "find_price",
    "invoices_of",
    "make",
    "payments_of",
    "plan_phases",
    "preview_change",
    "prices_named",
    "prices_of",
    "refund_payment",
    "release_schedule",
    "report_usage",
    "resume_subscription",
    "subscriptions_of",
    "subscriptions_page",
    "take_end_back",
]
