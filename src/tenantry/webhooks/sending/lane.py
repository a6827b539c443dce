"""A lane as its holder knows it: where it sends, by which secrets, how much at a time, and what flies right now."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.security.sealing import Sealer, place
from tenantry.webhooks.sending.pace import FIRST_WINDOW
from tenantry.webhooks.sending.statements import Due, Facts, Taken

_headers = msgspec.json.Decoder(dict[str, str])


class Target(msgspec.Struct, frozen=True):
    """Where an endpoint is and what it is sent with, in one version of it."""

    version: int
    url: str
    ordered: bool
    headers: dict[str, str]
    secrets: tuple[bytes, ...]

    @classmethod
    def opened(cls, facts: Facts, sealer: Sealer) -> Target:
        """The same, its seals broken."""
        org = facts.org_id
        headers = {}
        if facts.sealed_headers is not None:
            where = place("webhook_endpoints", "sealed_headers", org=org, row=facts.endpoint_id)
            headers = _headers.decode(sealer.open(facts.sealed_headers, aad=where))
        secrets = tuple(
            sealer.open(sealed, aad=place("webhook_secrets", "sealed_secret", org=org, row=id))
            for id, sealed in zip(facts.secret_ids, facts.sealed_secrets, strict=True)
        )
        return cls(facts.version, facts.url, facts.ordered, headers, secrets)


class Lane:
    """One that this process holds."""

    __slots__ = ("endpoint_id", "failures", "fares_anew", "flying", "hold", "org_id", "quiet", "target", "turn", "wide")

    def __init__(self, taken: Taken, window: int = FIRST_WINDOW) -> None:
        """`window` is how much at a time it was sent when it was held last."""
        self.org_id = taken.org_id
        self.endpoint_id = taken.endpoint_id
        self.hold = taken.hold
        self.failures = taken.failures
        self.target: Target | None = None
        # what was sent, until it is written down what came of it
        self.flying: set[UUID] = set()
        self.quiet: float | None = None
        self.fares_anew = False
        self.wide = window
        # when it was given room last, among all lanes
        self.turn = 0

    @property
    def room(self) -> int:
        """How many more may be sent now: one where the order counts, and while it is seen whether it is well again."""
        if self.target is None or self.quiet is not None:
            return 0
        window = 1 if self.failures or self.target.ordered else self.wide
        return max(0, window - len(self.flying))

    def fares(self, *, good: bool, quiet: float | None) -> None:
        """Note how an attempt went, to be written down with the next turn if that is news."""
        failures = 0 if good else self.failures + 1
        self.fares_anew = self.fares_anew or failures != self.failures or quiet is not None
        self.failures = failures
        # several that flew at once may ask for different pauses; what arrived takes none of them back
        self.quiet = quiet if self.quiet is None else max(self.quiet, quiet or 0.0)


class Attempted(msgspec.Struct, frozen=True):
    """What came of one attempt, as it is written down."""

    due: Due
    begun_at: datetime
    fate: str
    status: int | None = None
    error: str | None = None
    took_ms: int = 0
    answer: str = ""
    wait: float | None = None
    gone: bool = False

    def row(self) -> tuple[Any, ...]:
        """In the order of what a turn records."""
        due = self.due
        return (
            due.org_id, due.endpoint_id, due.event_id, due.at, self.begun_at, due.attempts + 1, due.tries, self.status,
            self.error, self.took_ms, self.answer, self.fate, self.wait,
        )  # fmt: skip
