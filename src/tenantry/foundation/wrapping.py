"""Running a verb's wraps: in the order of the plugins before it, in the opposite order after it, each within its time.

A wrap says no by raising a Problem. One that fails otherwise, or is late, refuses the verb, because nobody can know
what it was there to prevent; an optional one has a savepoint of its own and is logged instead. A generator that blocks
the whole process is not stopped: plugins are trusted code.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from asyncpg.exceptions import PostgresError

from tenantry.foundation.around import Wrap
from tenantry.foundation.logs import get_logger
from tenantry.foundation.problems import Problem, Unavailable
from tenantry.foundation.refusals import problem_of
from tenantry.foundation.work import Work

WRAP_WITHIN = 2.0
"""Seconds that a wrap may take for itself, before and after its verb together."""
Answer = TypeVar("Answer")
log = get_logger("tenantry.plugins")


class PluginFailed(Unavailable):
    """A plugin that takes part in this failed, so it was refused; try again shortly."""

    code = "plugin_failed"


class OneYield(Exception):
    """A wrap yields exactly once."""


async def wrapped(
    wraps: Sequence[Wrap], subject: Any, given: Mapping[str, Any], perform: Callable[[], Awaitable[Answer]]
) -> Answer:
    """What a verb answers, once each of its wraps has let it pass."""
    turns: list[_Turn] = []
    try:
        for wrap in wraps:
            turns.append(_Turn(wrap, subject, given))
            await turns[-1].before()
        answer = await perform()
        while turns:
            await turns[-1].after(answer)
            turns.pop()
        return answer
    finally:
        for turn in reversed(turns):
            await turn.end()


class _Turn:
    """One wrap around one call of its verb."""

    def __init__(self, wrap: Wrap, subject: Any, given: Mapping[str, Any]) -> None:
        self._wrap = wrap
        self._subject = subject
        self._left = WRAP_WITHIN
        self._generator = wrap.function(subject, **wrap.taken(given))

    async def before(self) -> None:
        """Run up to the `yield`."""
        async with self._answering_for():
            try:
                await anext(self._generator)
            except StopAsyncIteration:
                raise OneYield("it did not yield") from None

    async def after(self, answer: Any) -> None:
        """Run the rest, if there is one; the `yield` gives what the verb answered."""
        async with self._answering_for():
            try:
                await self._generator.asend(answer)
            except StopAsyncIteration:
                return
            raise OneYield("it yielded twice")

    async def end(self) -> None:
        """Let go of a generator whose verb did not come to its end."""
        try:
            async with asyncio.timeout(max(self._left, 0)):
                await self._generator.aclose()
        except Exception as error:  # noqa: BLE001  (what ends the verb is already on its way to the caller)
            self._log(error)

    @asynccontextmanager
    async def _answering_for(self) -> AsyncIterator[None]:
        try:
            async with self._apart(), self._timed():
                yield
        except Exception as error:
            if not self._wrap.optional:
                raise self._refusal(error) from error
            self._log(error)
            await self.end()

    @asynccontextmanager
    async def _apart(self) -> AsyncIterator[None]:
        """An optional wrap's own savepoint; an exchange has no transaction, and so nothing to put apart."""
        if self._wrap.optional and isinstance(self._subject, Work):
            async with self._subject.apart():
                yield
        else:
            yield

    @asynccontextmanager
    async def _timed(self) -> AsyncIterator[None]:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(max(self._left, 0)):
                yield
        finally:
            self._left -= clock() - began

    def _refusal(self, error: Exception) -> Problem:
        meant = problem_of(error) if isinstance(error, PostgresError) else error
        if isinstance(meant, Problem):
            return meant
        self._log(error)
        return PluginFailed()

    def _log(self, error: Exception) -> None:
        log.warning("a wrap failed", wrap=self._wrap.name, optional=self._wrap.optional, exc_info=error)
