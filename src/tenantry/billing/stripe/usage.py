"""Meters at Stripe, which are told what a customer used."""

from __future__ import annotations

from tenantry.billing.stripe.account import account
from tenantry.billing.stripe.shapes import MeterEvent
from tenantry.foundation.runtime import Runtime


async def report_usage(
    runtime: Runtime, *, identifier: str, event: str, customer_id: str, quantity: int, at: int
) -> MeterEvent:
    """Tell a meter of so much that a customer used; said again under the same identifier it counts once."""
    return await account(runtime).ask(
        "post", "billing/meter_events", MeterEvent, key=identifier, identifier=identifier, event_name=event,
        timestamp=at, payload={"stripe_customer_id": customer_id, "value": str(quantity)},
    )  # fmt: skip
