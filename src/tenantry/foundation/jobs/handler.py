"""Handlers: the functions of a domain's `jobs.py`, marked with what they answer to.

A mark only marks; the domain's manifest has them collected, so that importing a module changes nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any, TypeVar, get_type_hints

import msgspec

from tenantry.foundation.events.event import Event
from tenantry.foundation.events.versions import read_payload
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.queue import Queue, Rate
from tenantry.foundation.jobs.run import GiveUp, Job, LeaseLost, Retry, Snooze
from tenantry.foundation.jobs.schedule import Missed, Schedule
from tenantry.foundation.marks import marked
from tenantry.foundation.naming import named

__all__ = [
    "GiveUp", "Handler", "Job", "LeaseLost", "Queue", "Rate", "Retry", "Snooze", "collect", "every", "handles", "on",
]  # fmt: skip

Function = TypeVar("Function", bound=Callable[..., Awaitable[None]])
_MARK = "__tenantry_job__"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a function answers to, and its limits."""

    event: type[Event] | None = None
    schedule: Schedule | None = None
    kind: str | None = None
    timeout: float = 60.0
    max_attempts: int = 25
    queue: Queue | str = "default"
    tracked: bool = False


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """A function that does jobs of one kind."""

    kind: str
    function: Callable[..., Awaitable[None]]
    args: type[msgspec.Struct] | None
    event: type[Event] | None
    schedule: Schedule | None
    timeout: float
    max_attempts: int
    queue: str
    sentence: str
    tracked: bool = False
    limits: Queue | None = None

    def asked(self) -> NewJob:
        """The job that this handler does, its arguments still to be filled in."""
        return NewJob(self.kind, queue=self.queue, max_attempts=self.max_attempts, tracked=self.tracked)

    def given(self, args: str, version: int = 1) -> tuple[msgspec.Struct, ...]:
        """What the function takes beside the job; DecodeError or Unreadable where the arguments do not fit."""
        if self.event is not None:
            return (read_payload(self.event, version, args),)
        return () if self.args is None else (msgspec.json.decode(args, type=self.args),)


def on(event: type[Event], **limits: Any) -> Callable[[Function], Function]:
    """Do this after each such event: one durable job an event, asked for in the same commit."""
    return _mark(Mark(event=event, **limits))


def every(
    *,
    seconds: float = 0,
    minutes: float = 0,
    hours: float = 0,
    days: float = 0,
    cron: str | None = None,
    missed: Missed = "once",
    **limits: Any,
) -> Callable[[Function], Function]:
    """Do this at each tick, once however many processes there are; ticks are counted in UTC.

    Of ticks that nobody was there for, the latest is made up for (`once`), or each, the oldest first (`all`), or none
    that is more than a minute late, or more than an interval that is shorter (`skip`). `job.tick` says which it is.
    """
    interval = seconds + 60 * minutes + 3600 * hours + 86_400 * days
    return _mark(Mark(schedule=Schedule.parse(cron, interval, missed), **limits))


def handles(kind: str, **limits: Any) -> Callable[[Function], Function]:
    """Do the jobs that verbs ask for by this name."""
    return _mark(Mark(kind=kind, **limits))


def collect(module: ModuleType) -> list[Handler]:
    """The handlers that a domain's `jobs` module declares, or the files that it imports where it is a folder."""
    return [_handler(function, mark) for function, mark in marked(module, _MARK)]


def _mark(mark: Mark) -> Callable[[Function], Function]:
    def declare(function: Function) -> Function:
        asynchronous: bool = inspect.iscoroutinefunction(function)
        if not asynchronous:
            raise TypeError(f"{function.__qualname__} must be an async function")
        if _MARK in vars(function):
            raise TypeError(f"{function.__qualname__} answers to one thing; give the second a function of its own")
        vars(function)[_MARK] = mark
        return function

    return declare


def _handler(function: Callable[..., Awaitable[None]], mark: Mark) -> Handler:
    return Handler(
        kind=mark.kind or named(function.__module__, function.__name__),
        function=function,
        args=_args(function, mark),
        event=mark.event,
        schedule=mark.schedule,
        timeout=mark.timeout,
        max_attempts=mark.max_attempts,
        queue=mark.queue.name if isinstance(mark.queue, Queue) else mark.queue,
        limits=mark.queue if isinstance(mark.queue, Queue) else None,
        tracked=mark.tracked,
        sentence=(function.__doc__ or "").strip().partition("\n")[0],
    )


def _args(function: Callable[..., Awaitable[None]], mark: Mark) -> type[msgspec.Struct] | None:
    names = list(inspect.signature(function).parameters)[1:]
    if not names and mark.event is None:
        return None
    hints = get_type_hints(function)
    kind = hints.get(names[0]) if len(names) == 1 and mark.schedule is None else None
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) or mark.event not in (None, kind):
        raise TypeError(f"{function.__qualname__} takes the job, and its event or one struct of arguments")
    return kind
