"""Events: what happened to an object, as it was at that moment; kept, listed, and handed to the deliveries."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import shapes
from tenantry.testing.stripe.books import Books, Thing, copied
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import API_VERSION


def told(books: Books, what: str, thing: Thing, before: Thing | None = None) -> Thing:
    """Record that this happened; with `before`, what was different then."""
    data: dict[str, Any] = {"object": copied(thing)}
    if before is not None:
        data["previous_attributes"] = _differences(before, data["object"])
    event = {
        "id": books.new_id("evt", 24),
        "object": "event",
        "api_version": API_VERSION,
        "created": books.now(_customer_of(thing)),
        "data": data,
        "livemode": books.livemode,
        "pending_webhooks": len(books.kinds["webhook_endpoint"]),
        "request": dict(books.request),
        "type": what,
    }
    books.put(event)
    books.tell(event)
    return event


def changed(books: Books, what: str, thing: Thing, before: Thing) -> None:
    """Record an update, unless nothing differs."""
    if _differences(before, thing):
        told(books, what, thing, before)


def _differences(before: Thing, after: Thing) -> Thing:
    names = [*before, *(name for name in after if name not in before)]
    return {name: copied(before.get(name)) for name in names if before.get(name) != after.get(name)}


def _customer_of(thing: Thing) -> str | None:
    owner = thing.get("id") if thing["object"] == "customer" else thing.get("customer")
    return owner if isinstance(owner, str) else None


@route("GET", "/events", lists=True, type=shapes.text, types=shapes.each(shapes.text), created=shapes.span,
       delivery_success=shapes.flag)  # fmt: skip
def list_events(asked: Asked) -> Thing:
    """Events, newest first, of one type or several; `customer.*` is a type too."""
    wanted = asked.get("types") or ([asked.get("type")] if asked.get("type") else [])
    return of_kind(asked, "event", "/v1/events", lambda one: not wanted or any(matches(one, w) for w in wanted))


@route("GET", "/events/{}")
def event(asked: Asked) -> Thing:
    """One event."""
    return asked.books.get("event", asked.id)


def matches(one: Thing, wanted: str) -> bool:
    """Whether an event is of a type, or of a family such as `invoice.*`."""
    return wanted in ("*", one["type"]) or (wanted.endswith(".*") and one["type"].startswith(wanted[:-1]))
