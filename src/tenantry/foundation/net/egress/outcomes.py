"""How a request to a customer's URL ends, in words that may be shown to the customer: no address of ours in them."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["refused_address", "unresolved", "unreachable", "tls", "timeout", "too_large", "bad_answer"]

SENTENCES: dict[Kind, str] = {
    "refused_address": "The URL leads to a place that is not asked.",
    "unresolved": "The host's name could not be resolved.",
    "unreachable": "No connection could be made.",
    "tls": "No trusted TLS connection could be made: check the certificate.",
    "timeout": "There was no whole answer in time.",
    "too_large": "The head of the answer is too large.",
    "bad_answer": "What came back is not a whole HTTP answer.",
}


class Answered(msgspec.Struct, frozen=True):
    """A receiver answered, whatever it said: its status, `Retry-After`, the first 1 KiB, and the seconds it took."""

    status: int
    retry_after: str | None
    beginning: bytes
    took: float


class NotReached(Exception):
    """Nobody answered: what kind of failure it was, a sentence for the customer, and the seconds it took."""

    def __init__(self, kind: Kind, took: float, sentence: str | None = None) -> None:
        self.kind: Kind = kind
        self.sentence = sentence or SENTENCES[kind]
        self.took = took
        super().__init__(f"{kind}: {self.sentence}")


class AddressRefused(Exception):
    """A URL that is not asked; `why` goes on after the field's name: "must begin with https://"."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)
