"""Verbs of billing that Stripe has a part in, a file a noun."""

from __future__ import annotations

from tenantry.billing.exchanges.asking import ask_truth
from tenantry.billing.exchanges.intake import take_notice

__all__ = ["ask_truth", "take_notice"]
