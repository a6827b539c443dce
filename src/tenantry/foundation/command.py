"""Commands that domains bring: plain functions, which the command line turns into `tenantry GROUP NAME --option`.

The function's first argument is the call, each other one an option; its answer is printed. So a domain knows nothing
of the command line's library, and a web process, which imports every domain, never loads it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec


class Option(msgspec.Struct, frozen=True):
    """What an option means, as a note in its annotation; the flag, where it is not the parameter's name."""

    meaning: str
    flag: str | None = None


class Command(msgspec.Struct, frozen=True):
    """A command: the group it stands in, its name there, and the function whose sentence explains it.

    `failed` tells of its answer whether it says that something is wrong; then the command exits with 1.
    """

    group: str
    name: str
    function: Callable[..., Awaitable[msgspec.Struct]]
    failed: Callable[[msgspec.Struct], bool] = lambda _: False

    @property
    def sentence(self) -> str:
        """What it does."""
        return (self.function.__doc__ or "").strip()


class BadUsage(Exception):
    """The options do not go together; the sentence says which and why."""
