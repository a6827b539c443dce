"""A Python prompt with `await` in it: one event loop, which runs while something is performed."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from code import InteractiveConsole
from collections.abc import Callable, Coroutine
from types import CodeType, FunctionType, TracebackType
from typing import Any, Self

from tenantry.foundation.logs import redact


class Prompt(InteractiveConsole):
    """Performs what is typed, line by line, or a text as a whole."""

    def __init__(self, names: dict[str, Any], *, at_end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """`at_end` is awaited on the same loop, once nothing more is typed."""
        super().__init__({"__name__": "__main__", "__builtins__": __builtins__} | names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._loop = asyncio.Runner()
        self._at_end = at_end
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        # the command line's own hook would show errors of this program, not of what is typed
        sys.excepthook = sys.__excepthook__
        self._loop.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._loop.run(self._at_end())
        finally:
            self._loop.__exit__(kind, raised, trace)

    def interact(self, banner: str | None = None, exitmsg: str | None = None) -> None:
        """Ask for a line and perform it, until there are no more."""
        try:
            # late: lines are edited only where somebody types them, and not every Python can
            import readline  # noqa: PLC0415
            import rlcompleter  # noqa: PLC0415
        except ImportError:
            pass
        else:
            readline.set_completer(rlcompleter.Completer(self.locals).complete)
            readline.parse_and_bind("tab: complete")
        super().interact(banner, exitmsg)

    def perform(self, text: str) -> Exception | None:
        """Perform a text as a whole; what it failed with, which was shown."""
        try:
            code = compile(text, "<stdin>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            self.showsyntaxerror("<stdin>")
            return error
        self._loop.run(self._performed(code))
        return self._failure

    def runcode(self, code: CodeType) -> None:
        """Perform one statement; Ctrl-C ends what it waits for."""
        try:
            self._loop.run(self._performed(code))
        except (KeyboardInterrupt, asyncio.CancelledError):
            self.write("\nKeyboardInterrupt\n")

    async def _performed(self, code: CodeType) -> None:
        try:
            answer = FunctionType(code, self.locals)()
            if inspect.iscoroutine(answer):
                await answer
        except Exception as error:  # noqa: BLE001  (what is typed may raise anything)
            self._failure = error
            self.showtraceback()

    def write(self, data: str) -> None:
        """Say something that nobody could get in by."""
        sys.stderr.write(redact(data))
