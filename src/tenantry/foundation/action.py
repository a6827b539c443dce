"""Verbs: the functions that change rows, and nothing else may. A verb names who may call it and what it records.

A verb raises a Problem (everything is rolled back) or returns a Refusal (what it did is committed, then the problem is
answered). An exchange is a verb in steps, because something slow must happen between two transactions.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from tenantry.foundation.around import VERB
from tenantry.foundation.call import Call
from tenantry.foundation.events.event import Event
from tenantry.foundation.naming import named
from tenantry.foundation.permission import Permission
from tenantry.foundation.problems import Forbidden, Problem
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import Work
from tenantry.foundation.wrapping import wrapped

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
AnyWork = TypeVar("AnyWork", bound=Work)


class Refusal(msgspec.Struct, frozen=True):
    """A no that is committed: the verb's changes stand, and the caller is told the problem."""

    problem: Problem


class Verb(msgspec.Struct, frozen=True):
    """What is known of one verb: its name, who may use it, what it records, and whether it is an exchange."""

    name: str
    requires: Permission
    records: tuple[type[Event], ...]
    sentence: str
    exchange: bool
    key: str
    function: Callable[..., Any]


_verbs: dict[str, Verb] = {}


def action(
    *, requires: Permission, records: type[Event] | tuple[type[Event], ...] = ()
) -> Callable[
    [Callable[Concatenate[AnyWork, Given], Awaitable[Answer]]],
    Callable[Concatenate[AnyWork, Given], Awaitable[Answer]],
]:
    """Declare a verb that lives inside one transaction: the first argument is its Work."""

    def declare(
        function: Callable[Concatenate[AnyWork, Given], Awaitable[Answer]],
    ) -> Callable[Concatenate[AnyWork, Given], Awaitable[Answer]]:
        verb = _remember(function, requires, records, exchange=False)

        @wraps(function)
        async def guarded(work: AnyWork, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
            work.admit(verb.requires, verb.records)
            if work.runtime.wraps:
                answer: Answer = await _past_wraps(verb, work, work.runtime, args, kwargs)
                return answer
            return await function(work, *args, **kwargs)

        vars(guarded)[VERB] = verb.key
        return guarded

    return declare


def exchange(
    *, requires: Permission
) -> Callable[
    [Callable[Concatenate[Call, Given], Awaitable[Answer]]],
    Callable[Concatenate[Call, Given], Awaitable[Answer]],
]:
    """Declare a verb in steps: the first argument is the Call, and each step opens a Work of its own."""

    def declare(
        function: Callable[Concatenate[Call, Given], Awaitable[Answer]],
    ) -> Callable[Concatenate[Call, Given], Awaitable[Answer]]:
        verb = _remember(function, requires, (), exchange=True)

        @wraps(function)
        async def guarded(call: Call, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
            if not call.actor.may(verb.requires):
                raise Forbidden(more={"permission": verb.requires.name})
            if call.runtime.wraps:
                answer: Answer = await _past_wraps(verb, call, call.runtime, args, kwargs)
                return answer
            return await function(call, *args, **kwargs)

        vars(guarded)[VERB] = verb.key
        return guarded

    return declare


def _remember(
    function: Callable[..., Any],
    requires: Permission,
    records: type[Event] | tuple[type[Event], ...],
    *,
    exchange: bool,
) -> Verb:
    name = named(function.__module__, function.__name__)
    kinds = records if isinstance(records, tuple) else (records,)
    sentence = (function.__doc__ or "").strip().partition("\n")[0]
    verb = Verb(name, requires, kinds, sentence, exchange, f"{function.__module__}.{function.__name__}", function)
    _verbs[verb.key] = verb
    return verb


async def _past_wraps(verb: Verb, subject: Any, runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The verb's answer, with whatever plugins put around it."""
    around = runtime.wraps.get(verb.key)
    if around is None:
        return await verb.function(subject, *args, **kwargs)
    names = list(inspect.signature(verb.function).parameters)[1:]
    given = dict(zip(names, args, strict=False)) | kwargs
    return await wrapped(around, subject, given, lambda: verb.function(subject, *args, **kwargs))


def every_verb() -> Iterator[tuple[str, Verb]]:
    """Each declared verb with the full name of its function."""
    yield from _verbs.items()
