"""Once: what is asked under an `Idempotency-Key` is done one time for its caller, and answered the same from then on.

A refusal and a failure are kept by nobody: they are looked at anew. What must be shown one time only is not shown
again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
from prometheus_client import Counter

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.reply import Reply, encode
from tenantry.foundation.action import Refusal
from tenantry.foundation.answers import (
    LONGEST_KEY,
    Answer,
    NewAnswer,
    SameUnderWay,
    begin_answer,
    claim_answer,
    claim_of,
    end_answer,
    fingerprint_of,
    kept_answer,
    let_go,
    open_answer,
    seal_answer,
)
from tenantry.foundation.call import Call
from tenantry.foundation.problems import Conflict, Invalid, Malformed
from tenantry.foundation.routes import Route
from tenantry.foundation.security.sealing import SealBroken
from tenantry.foundation.work import SystemWork, Work

PATIENCE = 2.0
"""Seconds that a request waits for another one under the same idempotency key."""
REPLAYED = (b"idempotency-replayed", b"true")
_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_KEY}}}")
replays = Counter(
    "tenantry_idempotency", "Requests under an idempotency key that was used before, by outcome.", ("how",)
)


class KeyReused(Invalid):
    """This idempotency key was used for something else; a new request takes a new key."""

    code = "idempotency_key_reused"


class SecretShown(Conflict):
    """This was done, and its secret was shown then; it is not shown again."""

    code = "secret_already_shown"


class AnswerLost(Conflict):
    """This was done, and what was answered cannot be read any more."""

    code = "answer_lost"


class Asked(msgspec.Struct, frozen=True):
    """What is asked under a key: where, and what exactly, as a digest."""

    org: str
    key: str
    fingerprint: bytes


def asked_once(route: Route, call: Call, arrival: Arrival, scope: dict[str, Any]) -> Asked | None:
    """What is asked under a key; None where there is none, or none is heeded: reading, signing in, and strangers."""
    key = arrival.header(b"idempotency-key")
    if key is None or not route.heeds_keys:
        return None
    if not _KEY.fullmatch(key):
        raise Malformed(f"An idempotency key is 1 to {LONGEST_KEY} visible ASCII characters.")
    path, match = scope["path"], arrival.headers.get(b"if-match", b"")
    org = scope["path_params"]["org"] if route.in_org else ""
    return Asked(org, key, fingerprint_of(arrival.method, path, scope["query_string"], match, arrival.body))


class Once:
    """One request under a key: what it asks, and how an answer to it is written.

    `claim` is what a work says at its opening, so that it is done once.
    """

    claim: UUID

    def __init__(self, route: Route, call: Call, asked: Asked, written: Callable[[Any], Reply]) -> None:
        self._route, self._call, self._asked, self._written = route, call, asked, written

    def asked_by(self, person: UUID | None, key: UUID | None) -> None:
        """Say who asks: a person, or an API key, which stays the same when its secret changes."""
        self.claim = claim_of(self._asked.org, person, key, self._asked.key)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Let one request under a key at a time past here, so that those who wait hold no connection."""
        in_flight = self._call.runtime.in_flight
        if self.claim in in_flight:
            await self._wait(in_flight)
        mine = in_flight[self.claim] = asyncio.Event()
        try:
            yield
        finally:
            del in_flight[self.claim]
            mine.set()

    async def _wait(self, in_flight: Mapping[UUID, asyncio.Event]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while (before := in_flight.get(self.claim)) is not None:
                    await before.wait()
        except TimeoutError as error:
            raise SameUnderWay from error

    def kept(self, work: Work, answer: Any) -> Reply:
        """The answer, kept in the commit of what it answers to; a refusal is not."""
        reply = self._written(answer)
        if not isinstance(answer, Refusal):
            work.keep_answer(NewAnswer(self.claim, self._sealed(reply)))
        return reply

    async def around(self, answering: Callable[[], Awaitable[Any]]) -> Reply:
        """The answer of what asks others between two commits: noted as begun, then kept, or let go if it is refused."""
        async with self._noting() as work:
            await claim_answer(work, claim=self.claim)
            await begin_answer(work, claim=self.claim)
        kept = False
        try:
            answer = await answering()
            reply = self._written(answer)
            kept = not isinstance(answer, Refusal)
        finally:
            async with self._noting() as work:
                if kept:
                    await end_answer(work, claim=self.claim, sealed=self._sealed(reply))
                else:
                    await let_go(work, claim=self.claim)
        return reply

    async def again(self, work: Work) -> Reply:
        """The answer that was given before, for whoever may still ask."""
        kept = await kept_answer(work, claim=self.claim)
        if kept is None or kept.sealed is None:
            # it is being worked out, or its day was over between two looks
            raise SameUnderWay
        answer = self._opened(kept.sealed)
        if answer.fingerprint != self._asked.fingerprint:
            replays.labels("reused").inc()
            raise KeyReused
        if self._route.shows_secret:
            replays.labels("secret").inc()
            raise SecretShown(more=_named(answer.body))
        replays.labels("replayed").inc()
        return Reply(answer.status, answer.body, [*answer.headers, REPLAYED])

    def _noting(self) -> SystemWork:
        return SystemWork(self._call, reason="what is kept under a digest is nobody's")

    def _sealed(self, reply: Reply) -> bytes:
        # what is never shown again is not kept either
        body = encode(_named(reply.body)) if self._route.shows_secret else reply.body
        answer = Answer(self._asked.fingerprint, reply.status, reply.headers, body)
        return seal_answer(self._call.runtime.sealer, self.claim, answer)

    def _opened(self, sealed: bytes) -> Answer:
        try:
            return open_answer(self._call.runtime.sealer, self.claim, sealed)
        except SealBroken as error:
            raise AnswerLost from error


def _named(body: bytes) -> dict[str, Any]:
    """What was made, by its id."""
    told = msgspec.json.decode(body) if body else None
    return {"id": told["id"]} if isinstance(told, dict) and "id" in told else {}
