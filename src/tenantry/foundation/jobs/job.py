"""A job to be done later: what it is, what it needs to know, and when it may start."""

from __future__ import annotations

from typing import Any

import msgspec

from tenantry.foundation.jobs.queue import LONGEST_NAME

# in characters, so that the database's cap of 1 MiB holds whatever they are
MAX_ARGS = 256 * 1024
"""Characters of a job's arguments as JSON."""
LONGEST_KEY = 200
"""Characters of a unique key, or of a group's."""
LONGEST_DELAY = 3660 * 86_400.0
"""Seconds that a job may be asked for ahead."""
LONGEST_WINDOW = 31 * 86_400.0
"""Seconds that a unique key may be kept."""
_text = msgspec.json.Encoder().encode


class ArgsTooLarge(ValueError):
    """A job's arguments are ids and small facts; what is larger belongs in a table."""


class KeyTooLong(ValueError):
    """A key names what a job is about; it is no place for what the job needs to know."""


class NewJob(msgspec.Struct, frozen=True):
    """What a verb asks for; `args` is JSON text, `delay` in seconds, `key` makes it unique while it waits.

    With `unique_for` it stays unique, run or not, until so many seconds after it was asked for. Jobs of one `group`
    share their queue's limits for groups, within their organization. `tracked`: somebody waits for it, so a report says
    how it stands.
    """

    kind: str
    args: str = "{}"
    queue: str = "default"
    delay: float = 0.0
    priority: int = 0
    key: str | None = None
    max_attempts: int = 25
    version: int = 1
    tracked: bool = False
    group: str | None = None
    unique_for: float = 0.0

    def __post_init__(self) -> None:
        if len(self.args) > MAX_ARGS:
            raise ArgsTooLarge(f"{self.kind} was given {len(self.args)} characters, {MAX_ARGS} is the limit")
        if any(key is not None and not 0 < len(key) <= LONGEST_KEY for key in (self.key, self.group)):
            raise KeyTooLong(f"a key of {self.kind} has 1 to {LONGEST_KEY} characters")
        # a comparison with what is no number is false
        if not self.delay <= LONGEST_DELAY:
            raise ValueError(f"{self.kind} is to wait for {self.delay} s, ten years are the limit")
        if not 0 < len(self.queue) <= LONGEST_NAME:
            raise ValueError(f"the queue of {self.kind} has a name of 1 to {LONGEST_NAME} characters")
        if not 0 <= self.unique_for <= LONGEST_WINDOW or (self.unique_for and self.key is None):
            raise ValueError(f"{self.kind} is unique by a key, for a month at most")

    @classmethod
    def of(cls, kind: str, args: msgspec.Struct, **rest: Any) -> NewJob:
        """The job of a kind with its arguments as the struct that its handler takes."""
        return cls(kind, _text(args).decode(), **rest)

    def about(self, args: str, version: int) -> NewJob:
        """The same job with its arguments filled in."""
        return msgspec.structs.replace(self, args=args, version=version)
