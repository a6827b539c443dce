"""Verbs of billing that Stripe has a part in, a file a noun."""

from __future__ import annotations

from tenantry.billing.exchanges.asking import ask_truth
from tenantry.billing.exchanges.carrying import carry_out_change, finish_intent
from tenantry.billing.exchanges.changes import (
    cancel_subscription,
    change_subscription,
    preview_change,
    resume_subscription,
)
from tenantry.billing.exchanges.checkouts import carry_out_checkout, fetch_checkout, look_at_checkout, open_checkout
from tenantry.billing.exchanges.closing import close_open_checkout, end_everything, let_nothing_go_on
from tenantry.billing.exchanges.customers import carry_out_customer, ensure_customer
from tenantry.billing.exchanges.doubling import end_double
from tenantry.billing.exchanges.growing import grow_seats
from tenantry.billing.exchanges.intake import take_notice
from tenantry.billing.exchanges.portal import open_portal
from tenantry.billing.exchanges.reconciling import begin_round, go_on
from tenantry.billing.exchanges.reporting import report_usage_to_stripe
from tenantry.billing.exchanges.selling import compare_plans, sync_plans

__all__ = [
    "ask_truth",
    "begin_round",
    "cancel_subscription",
    "carry_out_change",
    "carry_out_checkout",
    "carry_out_customer",
    "change_subscription",
    "close_open_checkout",
    "compare_plans",
    "end_double",
    "end_everything",
    "ensure_customer",
    "fetch_checkout",
    "finish_intent",
    "go_on",
    "grow_seats",
    "let_nothing_go_on",
    "look_at_checkout",
    "open_checkout",
    "open_portal",
    "preview_change",
    "report_usage_to_stripe",
    "resume_subscription",
    "sync_plans",
    "take_notice",
]
