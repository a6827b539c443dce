"""Consumers: functions of a domain's `jobs.py` that read the event log in its order, each event once.

@consumer(MemberJoined, MemberLeft, clear=actions.clear_counts)
async def count_members(work: ConsumerWork, happened: Sequence[Logged]) -> None:

What such a function changes and how far it has read are one commit. So it asks nobody outside: whatever leaves the
house is a job that it asks for. A consumer that keeps rows which follow from the events alone marks them with
`work.generation`, and `clear` removes those of a generation; then it can be rebuilt beside its living self.
Like a job's mark this one only marks; the domain's manifest has the functions collected.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, Literal, TypeVar

import msgspec

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import Run
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.log import Logged
from tenantry.foundation.marks import marked
from tenantry.foundation.naming import named
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

__all__ = ["Consumer", "ConsumerWork", "Logged", "collect_consumers", "consumer"]

BATCH = 500
"""Events that a consumer is given at once, unless it says otherwise; the last transaction's are never left apart."""
TIMEOUT = 30.0
"""Seconds that a consumer may take for a batch, unless it says otherwise."""
CLEARING = frozenset(("generation", "most"))
_MARK = "__tenantry_consumer__"


class ConsumerWork(SystemWork):
    """A consumer's work on one batch: its commit moves the consumer along, or neither happens."""

    __slots__ = ("generation",)

    def __init__(self, runtime: Runtime, name: str, generation: int, *, reason: str) -> None:
        """`generation` is which edition of its rows the consumer is to write."""
        super().__init__(Call(runtime, Actor("consumer", name=name), str(new_id())), reason=reason)
        self.generation = generation


Consuming = Callable[[ConsumerWork, Sequence[Logged]], Awaitable[None]]
Function = TypeVar("Function", bound=Consuming)


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """A function that reads the log: which events, from where on, how many at once, and how its rows are cleared."""

    name: str
    function: Consuming
    events: tuple[type[Event], ...] = ()
    picks: Callable[[type[Event]], bool] | None = None
    clear: Run | None = None
    stops: bool = True
    start: Literal["beginning", "now"] = "beginning"
    batch: int = BATCH
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        if self.clear is not None and set(self.clear.parameters) != CLEARING:
            raise TypeError(f"{self.name} clears a generation with a statement that takes :generation and :most")
        if self.events and self.picks is not None:
            raise TypeError(f"{self.name} names its events, or picks them")
        if self.batch < 1 or self.timeout <= 0:
            raise TypeError(f"{self.name} takes at least one event, and some time for it")

    def among(self, declared: Iterable[type[Event]]) -> Consumer:
        """As it is where these events are declared: one that picks has picked."""
        if self.picks is None:
            return self
        return msgspec.structs.replace(self, events=tuple(filter(self.picks, declared)), picks=None)

    @property
    def kinds(self) -> tuple[str, ...] | None:
        """The kinds of events that it reads; None for all."""
        return tuple(sorted(event.kind for event in self.events)) or None

    @property
    def sentence(self) -> str:
        """What it does."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]


def consumer(*events: type[Event], **rest: Any) -> Callable[[Function], Function]:
    """Read these events in the order of the log, all of them where none is named; each once, whatever fails.

    `clear` is a statement that removes up to `:most` rows of a `:generation`; `start="now"` leaves out what was before.
    Instead of naming events it can pick the kinds it reads, of all that are declared. An event that cannot be read
    stops it, unless it says `stops=False`: then it is given that too, without its fields.
    """

    def declare(function: Function) -> Function:
        asynchronous: bool = inspect.iscoroutinefunction(function)
        if not asynchronous or len(inspect.signature(function).parameters) != 2:
            raise TypeError(f"{function.__qualname__} must be an async function of a work and the events that happened")
        name = named(function.__module__, function.__name__)
        vars(function)[_MARK] = Consumer(name=name, function=function, events=events, **rest)
        return function

    return declare


def collect_consumers(module: ModuleType) -> list[Consumer]:
    """The consumers that a domain's `jobs` module declares, or the files that it imports where it is a folder."""
    return [found for _, found in marked(module, _MARK)]
