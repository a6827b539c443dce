"""Stripe behind plain functions: each takes the runtime, asks one thing, and answers a shape or fails in four ways."""

from __future__ import annotations

from tenantry.billing.stripe.account import DEADLINE, VERSION, StripeAccount, account
from tenantry.billing.stripe.catalogue import attach_feature, find_price, put_feature, put_price, put_product
from tenantry.billing.stripe.customers import (
    create_checkout,
    create_customer,
    create_portal,
    expire_checkout,
    fetch_checkout,
    fetch_customer,
)
from tenantry.billing.stripe.errors import Declined, Misconfigured, Refused, StripeFailed, Unreachable
from tenantry.billing.stripe.invoices import fetch_invoice, fetch_payment, payments_of, refund_payment
from tenantry.billing.stripe.subscriptions import (
    cancel_at_period_end,
    change_subscription,
    end_subscription,
    every_subscription,
    fetch_subscription,
    preview_change,
    resume_subscription,
    subscriptions_changed_since,
    subscriptions_of,
)

__all__ = [
    "DEADLINE",
    "VERSION",
    "Declined",
    "Misconfigured",
    "Refused",
    "StripeAccount",
    "StripeFailed",
    "Unreachable",
    "account",
    "attach_feature",
    "cancel_at_period_end",
    "change_subscription",
    "create_checkout",
    "create_customer",
    "create_portal",
    "end_subscription",
    "every_subscription",
    "expire_checkout",
    "fetch_checkout",
    "fetch_customer",
    "fetch_invoice",
    "fetch_payment",
    "fetch_subscription",
    "find_price",
    "payments_of",
    "preview_change",
    "put_feature",
    "put_price",
    "put_product",
    "refund_payment",
    "resume_subscription",
    "subscriptions_changed_since",
    "subscriptions_of",
]
