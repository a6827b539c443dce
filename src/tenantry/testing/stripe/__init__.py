"""A stateful stand-in for Stripe, which the official SDK talks to over HTTP; it knows nothing of billing.

async with local_stripe(webhook_url="http://127.0.0.1:8000/v1/billing/notices") as local:
    client = stripe.StripeClient(local.secret_key, base_addresses={"api": local.url})
"""

from __future__ import annotations

from tenantry.testing.stripe.books import Rules
from tenantry.testing.stripe.deliveries import Deliveries, Mode, Sent, signed
from tenantry.testing.stripe.faults import CUT
from tenantry.testing.stripe.running import Running, asgi, local_stripe
from tenantry.testing.stripe.server import SECRET_KEY, WEBHOOK_SECRET, Answer, LocalStripe, Request
from tenantry.testing.stripe.wire import API_VERSION

__all__ = [
    "API_VERSION",
    "CUT",
    "SECRET_KEY",
    "WEBHOOK_SECRET",
    "Answer",
    "Deliveries",
    "LocalStripe",
    "Mode",
    "Request",
    "Rules",
    "Running",
    "Sent",
    "asgi",
    "local_stripe",
    "signed",
]
