"""Verbs of billing, a file a noun."""

from __future__ import annotations

from tenantry.billing.actions.applying import How, apply_truth
from tenantry.billing.actions.notices import (
    begin_notice,
    fail_notice,
    keep_notice,
    replay_notice,
    sweep_notices,
)
from tenantry.billing.actions.tables import ORG_TABLES, TABLES

__all__ = [
    "ORG_TABLES",
    "TABLES",
    "How",
    "apply_truth",
    "begin_notice",
    "fail_notice",
    "keep_notice",
    "replay_notice",
    "sweep_notices",
]
