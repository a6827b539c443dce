"""Seals: batches of rows in the order of their commits, each under a digest that continues the one before.

A seal keeps of each row its id, whose it is, when it was, and a digest of all that it says. So a row can be let go when
its time is over, and the others still be verified; and a row that was changed, removed or put in is found by name.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.events.details import digest_of

ROWS_A_SEAL = 1000
"""Rows of the audit log under one seal, at most."""
NOBODYS = UUID(int=0)
"""Whose rows are that belong to no organization."""
_LEAF = struct.Struct(">16s16sq32s")
_HEAD = struct.Struct(">qiq16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_row = msgspec.json.Encoder().encode
_details = msgspec.json.Encoder(order="sorted").encode


class Place(msgspec.Struct, frozen=True):
    """Where a row stands in the order of commits."""

    epoch: int
    tx: int
    id: UUID


FIRST = Place(0, 0, NOBODYS)


class Sealable(msgspec.Struct, frozen=True, array_like=True):
    """All that a row says, JSON as PostgreSQL writes it: in this order it is what its digest is made of."""

    epoch: int
    tx: int
    id: UUID
    at: datetime
    org_id: UUID | None
    person_id: UUID | None
    action: str
    outcome: str
    times: int
    actor_kind: str
    actor_id: UUID | None
    actor_name: str | None
    session_id: UUID | None
    on_behalf_of: UUID | None
    target_kind: str | None
    target_id: UUID | None
    before: str | None
    after: str | None
    request_id: str
    subject_digest: bytes | None
    actor_digest: bytes | None
    merge_key: str | None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.epoch, self.tx, self.id)

    @property
    def leaf(self) -> Leaf:
        """What a seal keeps of it."""
        return Leaf(self.id, self.org_id or NOBODYS, self.at, hashlib.sha256(_row(self)).digest())


class Leaf(msgspec.Struct, frozen=True):
    """A row as its seal keeps it."""

    id: UUID
    whose: UUID
    at: datetime
    digest: bytes


class Detail(msgspec.Struct, frozen=True):
    """What is personal about a row, as long as it is there."""

    row_id: UUID
    about: str
    salt: bytes
    named: str

    def binds(self, digest: bytes | None) -> bool:
        """Whether it is what the row was bound to."""
        return digest == digest_of(self.salt, _details(msgspec.json.decode(self.named)).decode())


class Seal(msgspec.Struct, frozen=True):
    """One batch: its number, the place of its last row, the rows that it keeps, and the chain."""

    number: int
    epoch: int
    tx: int
    id: UUID
    leaves: bytes
    previous: bytes
    digest: bytes

    @property
    def place(self) -> Place:
        """Up to where it reaches."""
        return Place(self.epoch, self.tx, self.id)

    @property
    def spoken(self) -> str:
        """How it can be kept elsewhere: `number:digest`."""
        return f"{self.number}:{self.digest.hex()}"


class Fault(msgspec.Struct, frozen=True):
    """Something that is not as it was sealed: which row or seal, and what is wrong with it."""

    what: Literal["changed", "removed", "put in", "details changed", "seal changed", "seal missing"]
    seal: int
    row: UUID | None = None
    whose: UUID | None = None
    at: datetime | None = None


def seal_over(rows: Sequence[Sealable], *, number: int, previous: bytes) -> Seal:
    """The seal over rows that come after those of the seal before."""
    last = rows[-1].place
    leaves = b"".join(map(_packed, (row.leaf for row in rows)))
    digest = _digest(number, last, leaves, previous)
    return Seal(number, last.epoch, last.tx, last.id, leaves, previous, digest)


def whole(seal: Seal, *, number: int, previous: bytes) -> bool:
    """Whether a seal is the one that follows, and its digest is of what it keeps."""
    said = _digest(seal.number, seal.place, seal.leaves, seal.previous)
    return (seal.number, seal.previous, seal.digest) == (number, previous, said)


def leaves_of(seal: Seal) -> Iterator[Leaf]:
    """The rows that a seal keeps, in their order."""
    usable = len(seal.leaves) // _LEAF.size * _LEAF.size
    for row, whose, at, digest in _LEAF.iter_unpack(seal.leaves[:usable]):
        yield Leaf(UUID(bytes=row), UUID(bytes=whose), _EPOCH + timedelta(microseconds=at), digest)


def faults_of(seal: Seal, rows: Sequence[Sealable], details: Sequence[Detail]) -> tuple[list[Fault], list[Leaf]]:
    """What is wrong with the rows of a seal; and those that are not there, which may have been let go."""
    kept = {leaf.id: leaf for leaf in leaves_of(seal)}
    there = {row.id: row for row in rows}
    faults = [
        Fault("changed" if row.id in kept else "put in", seal.number, row.id, row.org_id, row.at)
        for row in rows
        if kept.get(row.id) != row.leaf
    ]
    faults += [
        Fault("details changed", seal.number, detail.row_id, there[detail.row_id].org_id, there[detail.row_id].at)
        for detail in details
        if not detail.binds(_bound(there, detail))
    ]
    return faults, [leaf for leaf in kept.values() if leaf.id not in there]


def _bound(there: Mapping[UUID, Sealable], detail: Detail) -> bytes | None:
    row = there[detail.row_id]
    return row.actor_digest if detail.about == "actor" else row.subject_digest


def _packed(leaf: Leaf) -> bytes:
    at = (leaf.at - _EPOCH) // timedelta(microseconds=1)
    return _LEAF.pack(leaf.id.bytes, leaf.whose.bytes, at, leaf.digest)


def _digest(number: int, last: Place, leaves: bytes, previous: bytes) -> bytes:
    head = _HEAD.pack(number, last.epoch, last.tx, last.id.bytes)
    return hashlib.sha256(b"".join((previous, head, leaves))).digest()
