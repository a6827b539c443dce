"""What Stripe tells and answers here: subscriptions by number, each with one final state, and notices about them."""

from __future__ import annotations

import hmac
import itertools
import json
import secrets
import time
from typing import Any

from bench.wire import Request

SECRET = "whsec_of_the_bench_only"
SETTINGS = {
    "TENANTRY_STRIPE_SECRET_KEY": "sk_test_of_the_bench_only",
    "TENANTRY_STRIPE_WEBHOOK_SECRETS": SECRET,
}
STATUSES = ("active", "trialing", "past_due", "canceled", "unpaid")
KINDS = ("created", "updated", "paused", "resumed", "deleted")
BEGAN = 1_790_000_000
PADDING = "an event is about three kilobytes long, most of which nobody reads " * 30
_serials = itertools.count(secrets.randbelow(10**9) * 10**6)


def subscription(number: int) -> dict[str, Any]:
    """A subscription as it is in the end."""
    return {
        "id": f"sub_{number}", "object": "subscription", "customer": f"cus_{number}", "livemode": False,
        "status": STATUSES[number % len(STATUSES)], "created": BEGAN + number, "cancel_at": None,
        "cancel_at_period_end": number % 7 == 0, "canceled_at": None, "trial_end": None, "metadata": {},
        "ended_at": BEGAN + number + 9 if STATUSES[number % len(STATUSES)] == "canceled" else None,
        "latest_invoice": invoice(number), "pause_collection": None,
        "items": {
            "object": "list", "has_more": False,
            "data": [
                {
                    "id": f"si_{number}", "object": "subscription_item", "quantity": 1 + number % 40,
                    "current_period_start": BEGAN + number, "current_period_end": BEGAN + number + 2_592_000,
                    "price": {
                        "id": f"price_{number % 3}", "product": "prod_1", "currency": "eur", "unit_amount": 1900,
                        "metadata": {},
                    },
                }
            ],
        },
    }  # fmt: skip


def invoice(number: int) -> dict[str, Any]:
    """The latest invoice of a subscription."""
    return {
        "id": f"in_{number}", "object": "invoice", "currency": "eur", "created": BEGAN + number,
        "customer": f"cus_{number}", "number": f"A-{number}", "status": "paid", "total": 1900, "amount_due": 1900,
        "amount_paid": 1900, "amount_remaining": 0, "attempt_count": 1,
        "status_transitions": {"finalized_at": BEGAN + number, "paid_at": BEGAN + number + 1},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": f"sub_{number}"}},
        "lines": {"object": "list", "data": [], "has_more": False},
    }  # fmt: skip


def event(number: int, kind: str = "updated") -> dict[str, Any]:
    """A notice of a new event about a subscription."""
    return {
        "id": f"evt_{next(_serials)}", "object": "event", "api_version": "2026-10-28.endive", "livemode": False,
        "created": int(time.time()), "type": f"customer.subscription.{kind}", "padding": PADDING,
        "data": {"object": {"id": f"sub_{number}", "object": "subscription", "customer": f"cus_{number}"}},
    }  # fmt: skip


def signed_requests(count: int) -> list[Request]:
    """Notices of so many events, signed just now."""
    return [_signed(json.dumps(event(number))) for number in range(count)]


def _signed(body: str) -> Request:
    moment = int(time.time())
    digest = hmac.digest(SECRET.encode(), f"{moment}.{body}".encode(), "sha256").hex()
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": f"t={moment},v1={digest}"}
    return Request("POST", "/v1/stripe/webhook", headers, body)
