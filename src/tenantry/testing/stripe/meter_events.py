"""Usage that meters are told of; an identifier counts once."""

from __future__ import annotations

from tenantry.testing.stripe import shapes
from tenantry.testing.stripe.books import Thing
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid

LONGEST_AGO, FARTHEST_AHEAD = 35 * 86_400, 300


@route(
    "POST",
    "/billing/meter_events",
    needs=("event_name", "payload"),
    event_name=shapes.text,
    identifier=shapes.text,
    payload=shapes.hash_of(("stripe_customer_id", "value"), stripe_customer_id=shapes.text, value=shapes.text),
    timestamp=shapes.whole,
)
def create(asked: Asked) -> Thing:
    """Tell a meter of usage."""
    payload, books = asked.params["payload"], asked.books
    books.get("customer", payload["stripe_customer_id"], "payload[stripe_customer_id]")
    now = books.now(payload["stripe_customer_id"])
    at = asked.get("timestamp", now)
    if not now - LONGEST_AGO <= at <= now + FARTHEST_AHEAD:
        raise invalid("The timestamp must be within the past 35 days or up to 5 minutes in the future.", "timestamp")
    identifier = asked.get("identifier") or books.new_id("mtr_evt")
    if books.find("billing.meter_event", identifier) is not None:
        raise invalid(f"An event already exists with identifier {identifier}.", "identifier", "resource_already_exists")
    return books.put(
        {
            "id": identifier,
            "object": "billing.meter_event",
            "created": now,
            "event_name": asked.params["event_name"],
            "identifier": identifier,
            "livemode": books.livemode,
            "payload": payload,
            "timestamp": at,
        }
    )
