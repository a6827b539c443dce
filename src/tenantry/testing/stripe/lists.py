"""Lists by pages: newest first, a limit, and a cursor before or after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import dropwhile, islice
from typing import Any

from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.routes import Asked
from tenantry.testing.stripe.wire import invalid, listing, missing

DEFAULT_LIMIT, HIGHEST_LIMIT = 10, 100


def page(asked: Asked, url: str, things: Iterable[Thing]) -> Thing:
    """One page of the things, which come newest first."""
    limit = asked.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= HIGHEST_LIMIT:
        raise invalid(f"This value must be between 1 and 100 (inclusive). It currently is {limit}.", "limit")
    if asked.get("ending_before"):
        return _before(asked, url, things, limit)
    after = asked.get("starting_after")
    found = list(islice(_from(asked.books, things, after) if after else things, limit + 1))
    return listing(url, found[:limit], more=len(found) > limit)


def _before(asked: Asked, url: str, things: Iterable[Thing], limit: int) -> Thing:
    rest = _from(asked.books, reversed(list(things)), asked.params["ending_before"], "ending_before")
    found = list(islice(rest, limit + 1))
    return listing(url, reversed(found[:limit]), more=len(found) > limit)


def _from(books: Books, things: Iterable[Thing], cursor: str, param: str = "starting_after") -> Iterable[Thing]:
    if books.anything(cursor) is None:
        raise missing("object", cursor, param)
    rest = dropwhile(lambda one: one["id"] != cursor, things)
    next(iter(rest), None)
    return rest


def of_kind(asked: Asked, kind: str, url: str, keep: Callable[[Thing], bool] = lambda _: True) -> Thing:
    """A page of all objects of a kind that these filters let through; `customer` and `created` are looked at here."""
    created, customer = asked.params.get("created"), asked.get("customer")
    things = asked.books.newest_first(kind, customer)
    return page(asked, url, (one for one in things if within(_when(one), created) and keep(one)))


def _when(one: Thing) -> int | None:
    return one.get("created", one.get("date"))


def within(instant: int | None, span: Any) -> bool:
    """Whether an instant lies in what `created` asked for."""
    if span is None or instant is None:
        return True
    if not isinstance(span, dict):
        return bool(instant == span)
    tests: dict[str, bool] = {
        "gt": instant > span.get("gt", -1),
        "gte": instant >= span.get("gte", 0),
        "lt": instant < span.get("lt", 2**63),
        "lte": instant <= span.get("lte", 2**63),
    }
    return all(tests[name] for name in span)
