"""The succession of signing keys: next, active, retiring, retired. Moved along in one transaction, by one at a time.

A key is shown to everybody before it signs, and verifies for as long as anything that it signed may live. A rotation
that was begun is finished by a schedule (`foundation.housekeeping`); none begins unasked.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from tenantry.foundation.data.sql import many, run, value, values
from tenantry.foundation.logs import get_logger
from tenantry.foundation.security.access import LIFE, MOST_LEEWAY
from tenantry.foundation.security.keyring import STALE_AFTER, NewKey, place_of
from tenantry.foundation.security.sealing import SealBroken
from tenantry.foundation.work import SystemWork

CACHED_FOR = 600
"""Seconds for which others may keep the public keys they fetched."""
SLOWEST_COMMIT = 30
"""Seconds between what a change of the signing keys calls its time and the moment everybody can see it, at most."""
PUBLISHED_FOR = timedelta(seconds=STALE_AFTER + CACHED_FOR + SLOWEST_COMMIT)
"""A signing key is shown for this time before it signs."""
VERIFIES_FOR = timedelta(seconds=STALE_AFTER + LIFE + MOST_LEEWAY + SLOWEST_COMMIT)
"""A signing key still verifies for this time after another one took its place."""
log = get_logger("tenantry.keys")


class Change(msgspec.Struct, frozen=True):
    """A key and the state it is in now."""

    kid: str
    state: str


class Wait(msgspec.Struct, frozen=True):
    """A key, the state it will be in, and from when on."""

    kid: str
    state: str
    at: datetime


class RingKey(msgspec.Struct, frozen=True):
    """A key that is not retired, as its successor finds it."""

    kid: str
    state: str
    sealed_private: bytes
    changed_at: datetime
    asked_at: datetime

    def waits(self) -> Wait:
        """What becomes of a key that is not active, and when."""
        if self.state == "next":
            return Wait(self.kid, "active", self.changed_at + PUBLISHED_FOR)
        return Wait(self.kid, "retired", self.changed_at + VERIFIES_FOR)

    @property
    def due(self) -> bool:
        """Whether that time has come."""
        return self.waits().at <= self.asked_at


class Moves(msgspec.Struct, frozen=True):
    """What was done to the keys, and what they wait for."""

    done: tuple[Change, ...]
    waiting: tuple[Wait, ...]

    def tell(self) -> None:
        """Write into the log what was done; said after the commit."""
        for change in self.done:
            log.info("signing key moved", kid=change.kid, state=change.state)


take_turn = value(bool, "select pg_advisory_xact_lock(hashtextextended('signing keys', 0)) is not null")

keys_of_ring = many(
    RingKey,
    """
    select kid, state, sealed_private, changed_at, tenantry.now() as asked_at
      from tenantry.signing_keys
     where state <> 'retired'
     order by created_at, kid
    """,
)


async def move_along(work: SystemWork, *, begin: bool) -> Moves:
    """Do what is due; `begin` a rotation where none is under way."""
    # a statement of its own: one that waited for its turn must not see the keys as they were before
    await take_turn(work)
    done: list[Change] = []
    for key in await keys_of_ring(work):
        if key.state == "next" and not _opens(work, key):
            # nobody could sign with it any more: another takes its place, and the rotation goes on
            done += [await _retire(work, key), await _make(work, "next")]
        elif key.state == "next" and key.due:
            done += await _promote(work, key)
        elif key.state == "retiring" and key.due:
            done.append(await _retire(work, key))
    ring = await keys_of_ring(work)
    if begin and not done and all(key.state == "active" for key in ring):
        done.append(await _make(work, "next"))
        ring = await keys_of_ring(work)
    return _noted(work, Moves(tuple(done), tuple(key.waits() for key in ring if key.state != "active")))


async def replace_at_once(work: SystemWork) -> Moves:
    """Sign with a fresh key from now on and trust no other: all that was signed before is refused."""
    await take_turn(work)
    retired = [await _retire(work, key) for key in await keys_of_ring(work)]
    return _noted(work, Moves((*retired, await _make(work, "active")), ()))


def _noted(work: SystemWork, moves: Moves) -> Moves:
    for change in moves.done:
        work.note("house:signing_key:moved", after={"kid": change.kid, "state": change.state})
    return moves


def _opens(work: SystemWork, key: RingKey) -> bool:
    try:
        work.runtime.sealer.open(key.sealed_private, aad=place_of(key.kid))
    except SealBroken:
        return False
    return True


demote_active = values(
    str,
    """
    update tenantry.signing_keys
       set state = 'retiring', changed_at = tenantry.now()
     where state = 'active'
 returning kid
    """,
)

promote_key = run("update tenantry.signing_keys set state = 'active', changed_at = tenantry.now() where kid = :kid")


async def _promote(work: SystemWork, key: RingKey) -> list[Change]:
    # in this order, because only one may be active at any moment
    demoted = [Change(kid, "retiring") for kid in await demote_active(work)]
    await promote_key(work, kid=key.kid)
    return [Change(key.kid, "active"), *demoted]


# what a retired key signed is never accepted again: its private half is of no use but to a thief
retire_key = run("""
    update tenantry.signing_keys
       set state = 'retired', changed_at = tenantry.now(), sealed_private = ''
     where kid = :kid
""")


async def _retire(work: SystemWork, key: RingKey) -> Change:
    await retire_key(work, kid=key.kid)
    return Change(key.kid, "retired")


keep_key = run("""
    insert into tenantry.signing_keys (kid, state, public_key, sealed_private)
    values (:kid, :state, :public_key, :sealed_private)
""")


async def _make(work: SystemWork, state: str) -> Change:
    key = NewKey.sealed_by(work.runtime.sealer)
    await keep_key(work, kid=key.kid, state=state, public_key=key.public_key, sealed_private=key.sealed_private)
    return Change(key.kid, state)
