"""Idempotency keys: the first answer under a key is the answer, for the same request and only for it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from tenantry.testing.stripe.wire import Refusal

LONGEST = 255
MOST = 2_000
"""Idempotency keys that are remembered, the newest ones."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and what was asked."""

    request: str
    status: int
    body: bytes
    request_id: str


class Answers:
    """What was answered under each key."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def known(self, key: str, method: str, path: str, body: bytes) -> Kept | None:
        """The answer under this key; refused if something else was asked under it."""
        if len(key) > LONGEST:
            raise Refusal(
                400, "Idempotency keys have at most 255 characters.", kind="idempotency_error", executed=False
            )
        kept = self._kept.get(key)
        if kept is not None and kept.request != _digest(method, path, body):
            message = (
                f"Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request."
            )
            raise Refusal(400, message, kind="idempotency_error", executed=False)
        return kept

    def keep(self, key: str, method: str, path: str, body: bytes, answer: tuple[int, bytes, str]) -> None:
        """Remember an answer."""
        self._kept.setdefault(key, Kept(_digest(method, path, body), *answer))
        while len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]

    def all(self) -> dict[str, Kept]:
        """The answers by their keys, oldest first."""
        return dict(self._kept)

    def restore(self, kept: dict[str, Kept]) -> None:
        """Begin with these answers."""
        self._kept = dict(kept)

    def forget(self) -> None:
        """As after a day: keys are new again."""
        self._kept.clear()


def _digest(method: str, path: str, body: bytes) -> str:
    return sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()
