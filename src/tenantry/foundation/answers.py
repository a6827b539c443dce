"""Answers that are kept for a day with the `Idempotency-Key` they were asked under, so that asking again is harmless.

What is done in one transaction claims its key in the opening words and keeps its answer in its commit: there is no
moment in which one is there and the other not. What asks others between two commits, an exchange, notes that it has
begun, and keeps or lets go in a commit of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import maybe, run, value
from tenantry.foundation.problems import Conflict
from tenantry.foundation.security.sealing import Sealer, place

KEPT_FOR = 24 * 3600
"""Seconds for which an answer is given again to whoever asks under the same key."""
LONGEST_KEY = 255
"""Characters of an idempotency key."""


class AnswerKept(Exception):
    """What is asked under this key was done and answered before."""


class SameUnderWay(Conflict):
    """What is asked under this idempotency key is being done; ask again shortly."""

    code = "idempotency_key_in_flight"


class NewAnswer(msgspec.Struct, frozen=True):
    """An answer to be kept: under which claim, and sealed."""

    claim: UUID
    sealed: bytes


class Kept(msgspec.Struct, frozen=True):
    """An answer that was kept; one without is being worked out."""

    at: datetime
    sealed: bytes | None


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What was answered, to what exactly: a status, headers and a body, byte by byte.

    The digest of what was asked is sealed with it: passwords are asked with, and nobody shall try them out on it.
    """

    fingerprint: bytes
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode

kept_answer = maybe(Kept, "select at, sealed from tenantry.kept_answer(:claim)", not_null=("at",))

claim_answer = run("select tenantry.claim_answer(:claim)")

# who holds the claim and found nothing has only what is over to write upon
begin_answer = run("""
    insert into tenantry.kept_answers as old (slot, digest)
    values (tenantry.answer_slot(0), :claim)
        on conflict (slot, digest) do update
       set at = tenantry.now(), sealed = null
""")

end_answer = run("""
    update tenantry.kept_answers
       set sealed = :sealed
     where digest = :claim
       and sealed is null
       and slot in (tenantry.answer_slot(0), tenantry.answer_slot(1))
""")

let_go = run("""
    delete from tenantry.kept_answers
     where digest = :claim
       and sealed is null
       and slot in (tenantry.answer_slot(0), tenantry.answer_slot(1))
""")

forget_answers = value(bool, "select tenantry.forget_answers()")


def claim_of(*parts: UUID | str | bytes | None) -> UUID:
    """The name of a key: what is asked under it, by whom and where, as a digest."""
    return UUID(bytes=_digest(parts)[:16])


def fingerprint_of(*parts: str | bytes | None) -> bytes:
    """What was asked exactly, as a digest."""
    return _digest(parts)


def _digest(parts: Iterable[UUID | str | bytes | None]) -> bytes:
    told = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else str(part or "").encode("utf-8", "surrogatepass")
        told.update(b"%d:" % len(content) + content)
    return told.digest()


def seal_answer(sealer: Sealer, claim: UUID, answer: Answer) -> bytes:
    """An answer as it is kept."""
    return sealer.seal(_encode(answer), aad=_place(claim))


def open_answer(sealer: Sealer, claim: UUID, sealed: bytes) -> Answer:
    """An answer as it was given; SealBroken where it was altered or its key is gone."""
    return _decode(sealer.open(sealed, aad=_place(claim)))


def _place(claim: UUID) -> str:
    return place("kept_answers", "sealed", org=None, row=claim)
