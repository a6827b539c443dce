"""Patience: how long the house waits for what is to be paid, as its settings say."""

from __future__ import annotations

from tenantry.billing.models import Policy
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.runtime import Runtime


def policy_of(runtime: Runtime) -> Policy:
    """How patient this installation is."""
    return Policy(grace_days=runtime.section(BillingSettings).payment_grace_days)
