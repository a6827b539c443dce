"""Lists: how every one of them is asked for and answered, page by page, without offsets and without totals.

A `Listing` stands beside a domain's reads: a name, and a statement for each order it may be asked for in. The order
`-created_at` is by the field `created_at` of the rows, the greatest first, and by `id` among equals. Its statement
takes `:after_key` and `:after_id`, both null for the first page, and `:rows`:

    and (created_at, id) < (coalesce(:after_key, 'infinity'), coalesce(:after_id, :the_last_id))

A row whose key does not change is seen exactly once, whatever comes and goes between two pages. A cursor holds where
its page ended and is bound to the list, the order, the person, the organization and all that the statement was given
besides (filters, ids of the path): for anybody or anything else it is no cursor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar, get_type_hints
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tenantry.foundation.data.sql import Many
from tenantry.foundation.problems import Malformed
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import Work

Row = TypeVar("Row")
MOST_ROWS, USUAL_ROWS = 100, 50
"""Rows of a page: at most, and unless told otherwise."""
LONGEST_CURSOR = 1000
"""Characters of a cursor."""
_encode = msgspec.json.Encoder().encode


class BadCursor(Malformed):
    """This cursor is not one that this list gave you in this order; start again without it."""

    code = "bad_cursor"


class ListQuery(Wire):
    """What every list can be asked; a list's own query says which orders it has, and adds its filters."""

    order: str
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS, description="Rows of a page at most.")] = USUAL_ROWS
    after: Annotated[str, Meta(max_length=LONGEST_CURSOR, description="The page before's `next`.")] | UnsetType = UNSET


class ListAnswer(Wire):
    """A part of a list; a list's own answer says what its items are. Where there is no more, `next` is null."""

    items: list[Any]
    next: str | None


class Listing(Generic[Row]):
    """A list that can be read page by page, in any of its orders."""

    def __init__(self, name: str, orders: Mapping[str, Many[Row]]) -> None:
        self.name = name
        self.orders = dict(orders)
        self._places = {order: _place_of(order, statement) for order, statement in orders.items()}

    async def read(self, work: Work, query: ListQuery, /, **given: Any) -> tuple[list[Row], str | None]:
        """The rows of one page, and the cursor of the next one if there are more."""
        bound = self._bound(work, query.order, given)
        after_key, after_id = self._start(work, query, bound)
        # one row more than asked for tells whether there is a next page
        rows = await self.orders[query.order](
            work, after_key=after_key, after_id=after_id, rows=query.limit + 1, **given
        )
        if len(rows) <= query.limit:
            return rows, None
        shown = rows[: query.limit]
        place = _encode((getattr(shown[-1], _field(query.order)), shown[-1].id))  # type: ignore[attr-defined]
        return shown, work.runtime.cursors.seal(place, bound=bound)

    def _bound(self, work: Work, order: str, given: Mapping[str, Any]) -> bytes:
        actor = work.call.actor
        return _encode((self.name, order, actor.org, actor.person or actor.key, given))

    def _start(self, work: Work, query: ListQuery, bound: bytes) -> tuple[Any, UUID | str | None]:
        if query.after is UNSET:
            return None, None
        try:
            key, row_id = self._places[query.order].decode(work.runtime.cursors.open(query.after, bound=bound))
        except (BadToken, msgspec.DecodeError) as error:
            raise BadCursor from error
        return key, row_id


def _field(order: str) -> str:
    return order.removeprefix("-")


def _place_of(order: str, statement: Many[Any]) -> msgspec.json.Decoder[Any]:
    """Reads what a cursor of this order holds: the key of the last row shown, and its id."""
    hints = get_type_hints(statement.row)
    return msgspec.json.Decoder(tuple[hints[_field(order)], hints["id"]])  # type: ignore[misc]
