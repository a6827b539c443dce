"""Meters: what is counted of an organization's use, declared by the domain that counts it.

A meter sums whole numbers. Not here: sums, limits and prices.
"""

from __future__ import annotations

import re
from hashlib import sha256

import msgspec

MOST_QUANTITY = 1_000_000_000_000
"""The most that one event of usage can count."""
LONGEST_USAGE_KEY = 255
"""Characters of the key that makes two events of usage the same."""
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_LONGEST_METER = 64


class BadMeter(ValueError):
    """A meter cannot be called that."""


class Meter(msgspec.Struct, frozen=True):
    """Something that is counted: its key, what one of it is, and what it means in a sentence.

    `ingest` lets it be reported from outside; `stripe_event` is the name of the meter at Stripe that hears of it.
    """

    key: str
    unit: str
    sentence: str
    ingest: bool = False
    stripe_event: str = ""

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key) or len(self.key) > _LONGEST_METER:
            raise BadMeter(f"{self.key!r} is no key of a meter: small letters, digits, _ and dots")


def usage_digest(meter: str, key: str) -> bytes:
    """What a key of usage is known by, within its organization."""
    return sha256(f"{meter}\0{key}".encode()).digest()[:16]


def check_usage(quantity: int, key: str | None) -> None:
    """ValueError for a quantity that no event of usage holds, or a key that is none."""
    if not 0 <= quantity <= MOST_QUANTITY:
        raise ValueError(f"what is used is counted from 0 to {MOST_QUANTITY}")
    if key is not None and (not 1 <= len(key) <= LONGEST_USAGE_KEY or "\0" in key):
        raise ValueError(f"a key of usage has 1 to {LONGEST_USAGE_KEY} characters")
