"""Passwords: hashed with Argon2id in a bounded pool, the one place that verifies them.

The exact UTF-8 bytes of a password count: nothing is trimmed, normalised or cut off. A full pool refuses at
once, and an account that does not exist costs the same work as one that does.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import re
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from tenantry.foundation.problems import Unavailable
from tenantry.foundation.security.secret import Secret

LONGEST = 1024
"""Characters of a password, at most."""
NICE = 5
MOMENT = 0.5
"""Seconds that a sign-in waits for room to hash its password, on average."""
MOST_HELD = 1000
"""Sign-ins that wait for room at the same time, at most; more are refused at once."""
_LONGEST_STORED = 512
_MOST_MEMORY_KIB, _MOST_PASSES, _MOST_LANES = 1024 * 1024, 20, 16
_LEAST_SALT, _LEAST_TAG = 8, 16
_ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory>[0-9]{1,9}),t=(?P<passes>[0-9]{1,9}),p=(?P<lanes>[0-9]{1,9})"
    r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<tag>[A-Za-z0-9+/]+)"
)

R = TypeVar("R")


class Busy(Unavailable):
    """Too many people are signing in right now; try again in a moment."""

    code = "busy"


class UnusableHash(ValueError):
    """A stored hash is not Argon2id, or would cost more than is ever asked of one hash."""


class Cost(msgspec.Struct, frozen=True):
    """What one hash costs; memory is in KiB, each running hash holds that much."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1
    salt_bytes: int = 16
    tag_bytes: int = 32


class Verdict(msgspec.Struct, frozen=True):
    """Whether the password is right, and whether to store a new hash of it because the cost has changed."""

    ok: bool
    needs_rehash: bool


_WRONG = Verdict(ok=False, needs_rehash=False)


def check_stored(stored: str) -> None:
    """Refuse a hash to be imported that nobody should run: UnusableHash."""
    found = _ARGON2ID.fullmatch(stored) if len(stored) <= _LONGEST_STORED else None
    if found is None:
        raise UnusableHash("the stored hash is not an Argon2id hash")
    memory, passes, lanes = (int(found[name]) for name in ("memory", "passes", "lanes"))
    payable = 8 * lanes <= memory <= _MOST_MEMORY_KIB and 1 <= passes <= _MOST_PASSES and 1 <= lanes <= _MOST_LANES
    if not payable or _size(found["salt"]) < _LEAST_SALT or _size(found["tag"]) < _LEAST_TAG:
        raise UnusableHash("the stored hash is outside the accepted parameters")


def _size(encoded: str) -> int:
    """How many bytes unpadded base64 stands for; nothing when it is cut in the middle of one."""
    return 0 if len(encoded) % 4 == 1 else len(encoded) * 3 // 4


class Passwords:
    """Hashes and verifies, at most `threads` at a time with `queue` waiting; more is Busy.

    `submitted`, `completed` and `refused` count what the metrics show; `room` is how many may be in flight.
    """

    def __init__(self, threads: int | None = None, queue: int | None = None, cost: Cost | None = None) -> None:
        self.threads = threads or cores()
        self.cost = cost or Cost()
        self.submitted = self.completed = self.refused = 0
        self.room = self.threads + (4 * self.threads if queue is None else queue)
        self._open = self._held = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(self.threads, "argon2", initializer=_yield_to_others)
        self._hasher = PasswordHasher(
            self.cost.passes, self.cost.memory_kib, self.cost.lanes, self.cost.tag_bytes, self.cost.salt_bytes
        )
        self._nobody = _hash_of_nothing(self.cost)

    async def hash(self, password: str | Secret[str]) -> str:
        """The hash to store, its parameters and salt inside; more than 1024 characters is ValueError."""
        plain = _plain(password)
        if len(plain) > LONGEST:
            raise ValueError("the password is too long to hash")
        return await self._run(lambda: self._hasher.hash(plain.encode()))

    async def verify(self, stored: str | None, password: str | Secret[str]) -> Verdict:
        """Whether this is the password of the stored hash; without one, the same work for a plain no."""
        plain = _plain(password)
        if len(plain) > LONGEST:
            return _WRONG
        if stored is not None:
            check_stored(stored)
        ok = await self._run(lambda: self._matches(stored or self._nobody, plain.encode()))
        if stored is None or not ok:
            return _WRONG
        return Verdict(ok=True, needs_rehash=self._hasher.check_needs_rehash(stored))

    async def admit(self) -> None:
        """Wait a moment where there is no room, and Busy where there still is none: asked before anything else is done.

        A flood that is told no at once comes back at once, and the telling alone would keep everybody else waiting.
        """
        if self._open < self.room:
            return
        if self._held < MOST_HELD:
            self._held += 1
            try:
                await asyncio.sleep(MOMENT * random.uniform(0.5, 1.5))  # noqa: S311  (jitter, not a secret)
            finally:
                self._held -= 1
            if self._open < self.room:
                return
        self.refused += 1
        raise Busy

    @property
    def in_flight(self) -> int:
        """How many are being worked on or wait for it."""
        return self._open

    def close(self) -> None:
        """Stop taking work; what waits is dropped, what runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, plain: bytes) -> bool:
        try:
            return self._hasher.verify(stored, plain)
        except VerifyMismatchError:
            return False

    async def _run(self, work: Callable[[], R]) -> R:
        future = self._submit(work)
        # Shielded: a caller that goes away must not free the slot of a hash that is still running or queued.
        return await asyncio.shield(asyncio.wrap_future(future))

    def _submit(self, work: Callable[[], R]) -> Future[R]:
        with self._lock:
            if self._open >= self.room:
                self.refused += 1
                raise Busy
            future = self._pool.submit(work)
            self._open += 1
            self.submitted += 1
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Future[R]) -> None:
        with self._lock:
            self._open -= 1
            self.completed += not future.cancelled()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plain(password: str | Secret[str]) -> str:
    return password.reveal() if isinstance(password, Secret) else password


def _hash_of_nothing(cost: Cost) -> str:
    """A hash in today's parameters with a random tag: it costs as much, and nothing matches it."""
    salt, tag = (base64.b64encode(os.urandom(size)).rstrip(b"=").decode() for size in (cost.salt_bytes, cost.tag_bytes))
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p={cost.lanes}${salt}${tag}"


def _yield_to_others() -> None:
    # a hash takes tens of milliseconds and can wait; a request that needs one core for one of them cannot
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
