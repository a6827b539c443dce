"""A job to be done later: what it is, what it needs to know, and when it may start."""

from __future__ import annotations

from typing import Any

import msgspec

# in characters, so that the database's cap of 1 MiB holds whatever they are
MAX_ARGS = 256 * 1024
"""Characters of a job's arguments as JSON."""
_text = msgspec.json.Encoder().encode


class ArgsTooLarge(ValueError):
    """A job's arguments are ids and small facts; what is larger belongs in a table."""


class NewJob(msgspec.Struct, frozen=True):
    """What a verb asks for; `args` is JSON text, `delay` in seconds, `key` makes it unique while it waits."""

    kind: str
    args: str = "{}"
    queue: str = "default"
    delay: float = 0.0
    priority: int = 0
    key: str | None = None
    max_attempts: int = 25
    version: int = 1

    def __post_init__(self) -> None:
        if len(self.args) > MAX_ARGS:
            raise ArgsTooLarge(f"{self.kind} was given {len(self.args)} characters, {MAX_ARGS} is the limit")

    @classmethod
    def of(cls, kind: str, args: msgspec.Struct, **rest: Any) -> NewJob:
        """The job of a kind with its arguments as the struct that its handler takes."""
        return cls(kind, _text(args).decode(), **rest)

    def about(self, args: str, version: int) -> NewJob:
        """The same job with its arguments filled in."""
        return msgspec.structs.replace(self, args=args, version=version)
