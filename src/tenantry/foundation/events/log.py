"""Reading the event log in its order, without ever skipping.

An event's place is (epoch, transaction, number). Numbers are given out before the commit and transactions end in any
order, so whoever goes on behind the highest number that they saw skips what was slower. Here nothing is read that is
not below the horizon: of transactions older than the oldest one still open, everything is known for good. A database
that was restored or moved counts its transactions anew, in a higher epoch; all of a lower epoch are below the horizon.

One reading sees whole transactions, so that nobody acts on half a commit; only one of more than `WHOLE` events comes in
parts. It looks at so many events and no more, however few of them are wanted, and says how far it looked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import many, one
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.versions import Unreadable, read_payload
from tenantry.foundation.work import Work

WHOLE = 10_000
"""Events of one transaction that are read together; those of a longer one come in parts of so many."""
LOOKED_AT = 5_000
"""Events of the log that one reading looks at for those that are wanted."""


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the log: of an event, or with the number 0 the place before all of a transaction."""

    epoch: int
    tx: int
    id: int

    @property
    def text(self) -> str:
        """As text; for inside the house, because it tells how much happens here."""
        return f"{self.epoch}.{self.tx}.{self.id}"

    @classmethod
    def read(cls, text: str) -> Position:
        """The place that a text of ours names."""
        epoch, tx, number = map(int, text.split("."))
        return cls(epoch, tx, number)

    @property
    def of_transaction(self) -> Position:
        """The place before everything of the same transaction."""
        return Position(self.epoch, self.tx, 0)


BEGINNING = Position(0, 0, 0)


class Logged(msgspec.Struct, frozen=True):
    """An event as it stands in the log.

    `event` is None where no domain of this installation declares the kind, or what was written cannot be read;
    `payload` and `actor` are JSON as it was written, the payload in `version`.
    """

    event: Event | None
    kind: str
    version: int
    payload: msgspec.Raw
    position: Position
    public_id: UUID
    at: datetime
    org_id: UUID | None
    person_id: UUID | None
    actor: msgspec.Raw
    request_id: str


class Page(msgspec.Struct, frozen=True):
    """What one reading found: everything that was wanted up to `reached`, and whether more can be read right now."""

    events: Sequence[Logged]
    reached: Position
    more: bool = False


class _Row(msgspec.Struct, frozen=True):
    epoch: int
    tx: int
    id: int
    public_id: UUID
    at: datetime
    org_id: UUID | None
    person_id: UUID | None
    kind: str
    version: int
    payload: str
    actor: str
    request_id: str
    wanted: bool
    nth: int
    seen: int

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.tx, self.id)


# What is below it was committed or rolled back before this statement; the next one sees all of it, and is planned for
# the index, which is in the log's order: statistics lag behind a table that only grows, and a plan that sorts all of it
# would stay. Once it runs, everything is planned as usual.
horizon_now = one(
    Position,
    """
    select tenantry.epoch() as epoch, pg_snapshot_xmin(pg_current_snapshot()) as tx, 0::bigint as id
     where (select concat(set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)))
           is not null
    """,
    not_null=("epoch",),
)

# those that are wanted and one more, if there is, and the last of those looked at
look = many(
    _Row,
    """
    with seen as materialized (
        select epoch, tx, id, public_id, at, org_id, person_id, kind, version, payload, actor, request_id,
               (:kinds::text[] is null or kind = any (:kinds::text[]))
               and (:org::uuid is null or coalesce(org_id = :org::uuid, false)) as wanted
          from tenantry.events
         where (epoch, tx, id) > (:epoch::integer, :tx::xid8, :id::bigint)
           and (epoch, tx) < (:below_epoch::integer, :below_tx::xid8)
         order by epoch, tx, id
         limit :looked
    ), counted as (
        select *, count(*) filter (where wanted) over (order by epoch, tx, id) as nth,
               row_number() over (order by epoch, tx, id) as place, count(*) over () as seen
          from seen
    )
    select epoch, tx, id, public_id, at, org_id, person_id, kind, version, payload, actor, request_id, wanted, nth, seen
      from counted
     where (wanted and nth <= :most::integer + 1 or place = seen)
       and (select concat(set_config('enable_seqscan', null, true), set_config('enable_bitmapscan', null, true)))
           is not null
     order by epoch, tx, id
    """,
    not_null=("wanted",),
)


async def read_log(
    work: Work,
    after: Position,
    most: int,
    kinds: Collection[str] | None = None,
    org: UUID | None = None,
    *,
    whole: bool = True,
) -> Page:
    """What happened after a place, oldest first: about `most` events, of some kinds or of one organization only.

    Whole transactions, so it may be more; without `whole` exactly so many. To go on, read after `reached`.
    """
    wanted = Wanted(None if kinds is None else sorted(kinds), org, whole)
    page = await _read(work, after, most, wanted)
    if page.more and not page.events:
        # what there is may be a single transaction, longer than the page
        after, wide = page.reached, max(most, WHOLE)
        page = await _read(work, after, wide, wanted)
        if page.more and page.reached == after:
            return await _read(work, after, wide, msgspec.structs.replace(wanted, whole=False))
    return _up_to(page, most)


# by the index of one organization's events, which is in the log's order as well
of_org = many(
    _Row,
    """
    select epoch, tx, id, public_id, at, org_id, person_id, kind, version, payload, actor, request_id, true as wanted,
           0::bigint as nth, 0::bigint as seen
      from tenantry.events
     where org_id = :org
       and kind = any (:kinds::text[])
       and at >= :since
       and at < :until
       and (epoch, tx, id) > (:epoch::integer, :tx::xid8, :id::bigint)
       and (epoch, tx) < (:below_epoch::integer, :below_tx::xid8)
     order by epoch, tx, id
     limit :most
    """,
    not_null=("wanted", "nth", "seen"),
)


async def read_span(
    work: Work, after: Position, most: int, *, kinds: Collection[str], org: UUID, since: datetime, until: datetime
) -> Page:
    """What happened in one organization in a span of time after a place, oldest first: at most so many events."""
    horizon = await horizon_now(work)
    rows = await of_org(
        work, org=org, kinds=sorted(kinds), since=since, until=until, epoch=after.epoch, tx=after.tx, id=after.id,
        below_epoch=horizon.epoch, below_tx=horizon.tx, most=most,
    )  # fmt: skip
    return _page(work, rows, rows[-1].position if rows else after, more=len(rows) == most)


def _up_to(page: Page, most: int) -> Page:
    """The page, cut after the transaction that its event number `most` belongs to."""
    events = page.events
    for place in range(most, len(events)):
        edge = events[place].position.of_transaction
        if edge != events[place - 1].position.of_transaction:
            return Page(events[:place], edge, more=True)
    return page


class Wanted(msgspec.Struct, frozen=True):
    """What a reader is after."""

    kinds: list[str] | None
    org: UUID | None
    whole: bool

    def looked(self, most: int) -> int:
        """How many events are looked at to find so many."""
        return most + 1 if self.kinds is None and self.org is None else max(most + 1, LOOKED_AT)


async def _read(work: Work, after: Position, most: int, wanted: Wanted) -> Page:
    horizon, looked = await horizon_now(work), wanted.looked(most)
    rows = await look(
        work, kinds=wanted.kinds, org=wanted.org, epoch=after.epoch, tx=after.tx, id=after.id,
        below_epoch=horizon.epoch, below_tx=horizon.tx, looked=looked, most=most,
    )  # fmt: skip
    found = [row for row in rows if row.wanted and row.nth <= most]
    over = next((row for row in rows if row.wanted and row.nth > most), None)
    if over is None and (not rows or rows[-1].seen < looked):
        # a horizon that went back, seen by a replica perhaps, takes nobody back
        return _page(work, found, max(after, horizon), more=False)
    if not wanted.whole:
        return _page(work, found, rows[-1].position if over is None else found[-1].position, more=True)
    # what lies at the edge may have more beyond it
    edge = (over or rows[-1]).position.of_transaction
    return _page(work, [row for row in found if row.position < edge], max(after, edge), more=True)


def _page(work: Work, rows: Sequence[_Row], reached: Position, *, more: bool) -> Page:
    return Page([_logged(work, row) for row in rows], reached, more)


def _logged(work: Work, row: _Row) -> Logged:
    return Logged(
        event=_event(work.runtime.events.get(row.kind), row),
        kind=row.kind,
        version=row.version,
        payload=msgspec.Raw(row.payload),
        position=row.position,
        public_id=row.public_id,
        at=row.at,
        org_id=row.org_id,
        person_id=row.person_id,
        actor=msgspec.Raw(row.actor),
        request_id=row.request_id,
    )


def _event(kind: type[Event] | None, row: _Row) -> Event | None:
    try:
        return None if kind is None else read_payload(kind, row.version, row.payload)
    except Unreadable:
        # whoever cannot do without it asks again, and hears why
        return None
