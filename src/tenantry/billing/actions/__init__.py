"""Verbs of billing, a file a noun."""

from __future__ import annotations

from tenantry.billing.actions.applying import How, apply_answer, apply_truth
from tenantry.billing.actions.changes import (
    begin_cancellation,
    begin_change,
    begin_resumption,
    settle_change,
    weigh_change,
)
from tenantry.billing.actions.checkouts import (
    begin_checkout,
    checkout_of,
    offered,
    read_checkout,
    refuse_second,
    settle_checkout,
)
from tenantry.billing.actions.closing import is_to_end, keep_ended, what_goes_on
from tenantry.billing.actions.customers import begin_customer, settle_customer
from tenantry.billing.actions.doubling import keep_double_ended
from tenantry.billing.actions.growing import begin_growth
from tenantry.billing.actions.intents import GIVEN_UP_AFTER, begin_intent, settle_intent, stale_intents, take_up_intent
from tenantry.billing.actions.notices import (
    begin_notice,
    fail_notice,
    keep_notice,
    replay_notice,
    sweep_notices,
)
from tenantry.billing.actions.offers import Interval, make_offer, where_it_is_sold
from tenantry.billing.actions.overview import read_overview
from tenantry.billing.actions.patience import policy_of
from tenantry.billing.actions.reconciling import (
    compare_subscriptions,
    end_round,
    hear_late,
    mend_rows,
    replay_orphans,
    take_place,
)
from tenantry.billing.actions.reporting import begin_usage_reports, put_off_usage_reports, settle_usage_report
from tenantry.billing.actions.tables import ORG_TABLES, TABLES

__all__ = [
    "GIVEN_UP_AFTER",
    "ORG_TABLES",
    "TABLES",
    "How",
    "Interval",
    "apply_answer",
    "apply_truth",
    "begin_cancellation",
    "begin_change",
    "begin_checkout",
    "begin_customer",
    "begin_growth",
    "begin_intent",
    "begin_notice",
    "begin_resumption",
    "begin_usage_reports",
    "checkout_of",
    "compare_subscriptions",
    "end_round",
    "fail_notice",
    "hear_late",
    "is_to_end",
    "keep_double_ended",
    "keep_ended",
    "keep_notice",
    "make_offer",
    "mend_rows",
    "offered",
    "policy_of",
    "put_off_usage_reports",
    "read_checkout",
    "read_overview",
    "refuse_second",
    "replay_notice",
    "replay_orphans",
    "settle_change",
    "settle_checkout",
    "settle_customer",
    "settle_intent",
    "settle_usage_report",
    "stale_intents",
    "sweep_notices",
    "take_place",
    "take_up_intent",
    "weigh_change",
    "what_goes_on",
    "where_it_is_sold",
]
