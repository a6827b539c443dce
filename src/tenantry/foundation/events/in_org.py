"""An organization's events in the order of the log: read page by page in both directions, or followed as they come.

Whatever is read lies below the horizon, under which no transaction is open any more: nothing can come later in front of
what was read, however long its commit took. A cursor is where somebody stands in the log, sealed and bound to person,
organization, order and filters. An oldest-first list always gives one, and behind its last row it stands at the
horizon; the cursors of the unfiltered one are the ids of the stream too.
"""

from __future__ import annotations

import secrets
import struct
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import many
from tenantry.foundation.events.log import BEGINNING, Position, horizon_now
from tenantry.foundation.listing import BadCursor
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.work import OrgWork

Order = Literal["position", "-position"]
_PLACE = struct.Struct(">iqqI")
_encode = msgspec.json.Encoder().encode


class Happened(msgspec.Struct, frozen=True):
    """An event as it was written down, with what is personal about it."""

    epoch: int
    tx: int
    number: int
    id: UUID
    at: datetime
    org_id: UUID
    kind: str
    version: int
    payload: str
    actor: str
    request_id: str
    details: str | None

    @property
    def position(self) -> Position:
        """Where it is in the log."""
        return Position(self.epoch, self.tx, self.number)


class Filters(msgspec.Struct, frozen=True):
    """Which events are wanted: of a kind, of all kinds that begin so, and from when to before when they began."""

    kind: str | None = None
    prefix: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Filters()

_EVENTS = """
    select epoch, tx, events.id as number, public_id as id, events.at, events.org_id, kind, version, payload, actor,
           request_id, details.named as details
      from tenantry.events
      left join tenantry.details on row_id = public_id and about = 'subject'
     where events.org_id = tenantry.org()
       and (epoch, tx) < (:below_epoch::integer, :below_tx::xid8)
       and (:kind::text is null or kind = :kind)
       and (:prefix::text is null or starts_with(kind, :prefix))
       and (:since::timestamptz is null or events.at >= :since)
       and (:until::timestamptz is null or events.at < :until)
       and (epoch, tx, events.id)"""

oldest_first = many(
    Happened,
    f"""
    {_EVENTS} > (:epoch::integer, :tx::xid8, :number::bigint)
     order by epoch, tx, events.id
     limit :rows
    """,
    not_null=("org_id",),
)

newest_first = many(
    Happened,
    f"""
    {_EVENTS} < (:epoch::integer, :tx::xid8, :number::bigint)
     order by epoch desc, tx desc, events.id desc
     limit :rows
    """,
    not_null=("org_id",),
)


async def page(
    work: OrgWork, *, order: Order, after: str | None, rows: int, filters: Filters = EVERYTHING
) -> tuple[list[Happened], str | None]:
    """A part of the history, and the cursor of what follows."""
    if order == "position":
        start = BEGINNING if after is None else opened(work, after, filters=filters)
        found, reached = await read_on(work, start, rows=rows, filters=filters)
        return found, sealed(work, reached, filters=filters)
    below = await horizon_now(work)
    start = below if after is None else opened(work, after, order=order, filters=filters)
    # one row more than asked for tells whether there is a next page
    found = await newest_first(work, **_given(start, below, filters), rows=rows + 1)
    if len(found) <= rows:
        return found, None
    return found[:rows], sealed(work, found[rows - 1].position, order=order, filters=filters)


async def read_on(
    work: OrgWork, start: Position, *, rows: int, filters: Filters = EVERYTHING
) -> tuple[list[Happened], Position]:
    """What follows in the log, and where one stands then: where there is no more, at the horizon."""
    below = await horizon_now(work)
    found = await oldest_first(work, **_given(start, below, filters), rows=rows)
    return found, found[-1].position if len(found) == rows else max(start, below)


def sealed(work: OrgWork, position: Position, *, order: Order = "position", filters: Filters = EVERYTHING) -> str:
    """A position as a cursor."""
    # two horizons that are the same would tell that nobody in the whole house did anything in between
    salt = 0 if position.id else secrets.randbits(32)
    packed = _PLACE.pack(position.epoch, position.tx, position.id, salt)
    return work.runtime.cursors.seal(packed, bound=_bound(work, order, filters))


def opened(work: OrgWork, cursor: str, *, order: Order = "position", filters: Filters = EVERYTHING) -> Position:
    """The position of a cursor, or BadCursor for one that was given to somebody else, elsewhere or for another list."""
    try:
        packed = work.runtime.cursors.open(cursor, bound=_bound(work, order, filters))
        return Position(*_PLACE.unpack(packed)[:3])
    except (BadToken, struct.error) as error:
        raise BadCursor from error


def _bound(work: OrgWork, order: Order, filters: Filters) -> bytes:
    return _encode(("events", order, work.org, work.person, filters))


def _given(start: Position, below: Position, filters: Filters) -> dict[str, object]:
    return {
        "epoch": start.epoch,
        "tx": start.tx,
        "number": start.id,
        "below_epoch": below.epoch,
        "below_tx": below.tx,
        "kind": filters.kind,
        "prefix": filters.prefix,
        "since": filters.since,
        "until": filters.until,
    }
