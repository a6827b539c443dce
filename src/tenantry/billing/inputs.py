"""How often somebody may have Stripe asked: it is slow, it is paid for, and it counts how often we ask."""

from __future__ import annotations

from datetime import timedelta

from tenantry.foundation.security.limits import Limit

ASKING_STRIPE = Limit("billing_source", 30, timedelta(minutes=1))
"""Requests from one source for which Stripe is asked: checkouts, the portal, and what changes a subscription."""
