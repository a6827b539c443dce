"""Which core serves and which cores load it; nothing here measures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """One core for the server under test; the others for PostgreSQL and the load generator."""

    server: frozenset[int]
    others: frozenset[int]

    @property
    def shared(self) -> bool:
        """Whether the machine has one core only, so that all of them share it."""
        return self.server == self.others


def split() -> Cores:
    """The last core we may use serves, the rest load it."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(usable[-1:]), frozenset(usable[:-1] or usable))


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside runs on these cores: a child takes the affinity of its starting thread."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
