"""Stopping: something is done the moment the process is told to stop, long before its server's lifespan ends.

A server that is told so waits for every answer first, and answers that go on would keep it waiting.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]


class Stopping:
    """Hears the signals to stop before whoever waits for them, and passes each of them on."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then
        self._heard: dict[int, tuple[Handler, Handler]] = {}

    def listen(self) -> None:
        """Hear them from now on; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            # where nobody waits for answers the process just ends
            if callable(before):
                ours = partial(self._told, loop, before)
                signal.signal(number, ours)
                self._heard[number] = ours, before

    def deafen(self) -> None:
        """Hear no more; whoever listens since then keeps us in their line, where we only pass on."""
        for number, (ours, before) in self._heard.items():
            if signal.getsignal(number) is ours:
                signal.signal(number, before)
        self._heard.clear()

    def _told(self, loop: asyncio.AbstractEventLoop, before: Handler, number: int, frame: FrameType | None) -> None:
        # a loop that is closed has nothing left to do
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._then)
        before(number, frame)
