"""A child process that is started again when it dies, and stopped in time when it shall."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence

ENOUGH_FAILURES = 5
SOON = 10.0


class Child:
    """One process of the household."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = tuple(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._failures = 0

    @property
    def gave_up(self) -> bool:
        """Whether it died so often, each time right after its start, that starting it again is pointless."""
        return self._failures >= ENOUGH_FAILURES

    def start(self) -> None:
        """Start the process."""
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            # a Ctrl-C in the terminal is for the supervisor, which stops its children in order
            process_group=0,
        )

    def keep_up(self) -> None:
        """Start it again if it has died; later each time that it dies at once."""
        if self._process is None or self._process.poll() is None:
            return
        age = time.monotonic() - self._started_at
        if age >= SOON:
            self._failures = 0
        if age < min(0.2 * 2**self._failures, SOON):
            return
        self._failures += 1
        self.start()

    def stop(self) -> None:
        """Ask it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait for its end; past the deadline (of `time.monotonic`) it is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
