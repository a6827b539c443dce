"""Typed ids: UUIDv7 inside, `usr_01h...` (TypeID) at the edge, so that an id says what it names."""

from __future__ import annotations

from base64 import b32decode
from functools import lru_cache
from uuid import UUID

from uuid_utils.compat import uuid7

_RFC, _CROCKFORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz"
_FROM_TEXT = bytes.maketrans(_CROCKFORD, _RFC)
_ALPHABET = frozenset(_CROCKFORD.decode())
_PAIRS = [chr(first) + chr(second) for first in _CROCKFORD for second in _CROCKFORD]
_PLACES = range(120, -1, -10)
_called: dict[str, IdKind] = {}
LENGTH = 26
"""Signs of an id behind its prefix."""


class IdKind:
    """What an id names: its prefix, and how it is made, written and read.

    `called` says how fields are called that hold such an id, in events above all: by the whole name (`user_id`, which
    `from_user_id` is too) or by its end (`_by`). Nobody but the declaration knows what an id in an event names.
    """

    __slots__ = ("prefix", "start")

    def __init__(self, prefix: str, *called: str) -> None:
        self.prefix = prefix
        self.start = prefix + "_"
        _called.update(dict.fromkeys((name if name.startswith("_") else f"_{name}" for name in called), self))

    def new(self) -> UUID:
        """A fresh id; later ones sort after earlier ones."""
        return uuid7()

    def text(self, value: UUID) -> str:
        """The form that leaves the house."""
        return self.start + _written(value)

    def read(self, text: str) -> UUID | None:
        """The id a text names, or None when it is not an id of this kind; only the canonical spelling counts."""
        # judged before it is kept in mind: what strangers send may be as long as a body
        fits = len(text) == len(self.start) + LENGTH and text.startswith(self.start)
        return _read(text[len(self.start) :]) if fits else None


# the same people come again and again, and base32 is Python's slowest codec: ten bits are two signs of a table
@lru_cache(8192)
def _written(value: UUID) -> str:
    bits = value.int
    return "".join([_PAIRS[bits >> place & 1023] for place in _PLACES])


@lru_cache(8192)
def _read(body: str) -> UUID | None:
    if body[0] > "7" or not _ALPHABET.issuperset(body):
        return None
    return UUID(bytes=b32decode(b"AAAAAA" + body.encode().translate(_FROM_TEXT))[4:])


# who acts is named on the ground floor, because credentials and the log name them: people, their sessions,
# organizations and their API keys
USER_ID = IdKind("usr", "user_id", "_by")
SESSION_ID = IdKind("ses", "session_id")
ORG_ID = IdKind("org", "org_id")
API_KEY_ID = IdKind("key", "key_id", "api_key_id")
EVENT_ID = IdKind("evt", "event_id")
JOB_ID = IdKind("job", "job_id")


def kind_of_field(name: str) -> IdKind | None:
    """What the id in a field of that name names; None where no kind of ids says so."""
    return next((kind for end, kind in _called.items() if f"_{name}".endswith(end)), None)


def new_id() -> UUID:
    """A fresh UUIDv7 for rows whose ids stay inside."""
    return uuid7()
