"""Test clocks: a time of their own for the customers that were made with one."""

from __future__ import annotations

from tenantry.testing.stripe import notices, shapes
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.clock import caught_up
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.periods import DAY
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid

KIND, URL = "test_helpers.test_clock", "/test_helpers/test_clocks"
FARTHEST = 2 * 366 * DAY


@route("POST", URL, needs=("frozen_time",), frozen_time=shapes.whole, name=shapes.text)
def create(asked: Asked) -> Thing:
    """A clock that stands still."""
    now = asked.books.now()
    clock = asked.books.put(
        {
            "id": asked.books.new_id("clock", 24),
            "object": KIND,
            "created": now,
            "deletes_after": now + 30 * DAY,
            "frozen_time": asked.params["frozen_time"],
            "livemode": asked.books.livemode,
            "name": asked.get("name"),
            "status": "ready",
            "status_details": {},
        }
    )
    notices.told(asked.books, "test_helpers.test_clock.created", clock)
    return clock


@route("POST", URL + "/{}/advance", needs=("frozen_time",), frozen_time=shapes.whole)
def advance(asked: Asked) -> Thing:
    """Move on to an instant; all that falls due on the way has happened when this answers."""
    return moved(asked.books, asked.books.get(KIND, asked.id), asked.params["frozen_time"])


def moved(books: Books, clock: Thing, until: int) -> Thing:
    """The clock, at this instant, with all done that fell due."""
    if not clock["frozen_time"] < until <= clock["frozen_time"] + FARTHEST:
        raise invalid("A test clock can only be advanced, and by at most two years.", "frozen_time")
    notices.told(books, "test_helpers.test_clock.advancing", {**clock, "status": "advancing"})
    caught_up(books, until, clock["id"])
    books.change(clock, frozen_time=until)
    notices.told(books, "test_helpers.test_clock.ready", clock)
    return clock


@route("GET", URL + "/{}")
def retrieve(asked: Asked) -> Thing:
    """One test clock."""
    return asked.books.get(KIND, asked.id)


@route("GET", URL, lists=True)
def list_clocks(asked: Asked) -> Thing:
    """Test clocks, newest first."""
    return of_kind(asked, KIND, "/v1" + URL)


@route("DELETE", URL + "/{}")
def delete(asked: Asked) -> Thing:
    """Delete a clock with its customers and all that is theirs."""
    books, clock = asked.books, asked.books.get(KIND, asked.id)
    gone = {one["id"] for one in books.kinds["customer"].values() if one.get("test_clock") == asked.id}
    for kind in ("subscription", "invoice", "customer"):
        for one in [one for one in books.kinds[kind].values() if gone & {one.get("customer"), one["id"]}]:
            books.remove(one)
    books.remove(clock)
    notices.told(books, "test_helpers.test_clock.deleted", clock)
    return {"id": asked.id, "object": KIND, "deleted": True}
