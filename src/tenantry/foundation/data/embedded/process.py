"""Starting PostgreSQL's programs through `launch.py`, apart from our terminal and our environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tenantry.foundation.data.embedded.account import Account

LAUNCH = Path(__file__).with_name("launch.py")
KEPT = ("LD_LIBRARY_PATH", "TZDIR")
NONE = -1


@dataclass(frozen=True)
class Launch:
    """How a program is started: whom it runs as, how it hears of the supervisor's death, what it inherits."""

    account: Account
    death_signal: int
    inherits: tuple[int, ...] = ()
    appear_as: int | None = None

    def start(
        self, command: Sequence[str], *, log: IO[bytes], stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start the command with its output in the log."""
        return subprocess.Popen(
            [*self._prefix(), *command],
            cwd="/",
            env=_environment(),
            stdin=stdin,
            stdout=log,
            stderr=log,
            pass_fds=self.inherits,
            # a Ctrl-C in the terminal is for the supervisor, which stops the server last
            start_new_session=True,
            umask=0o077,
        )

    def _prefix(self) -> list[str]:
        uid, gid = (self.account.uid, self.account.gid) if self.account.dropped else (NONE, NONE)
        appear_as = NONE if self.appear_as is None else self.appear_as
        numbers = (os.getpid(), uid, gid, appear_as, self.death_signal)
        return [sys.executable, "-I", "-S", str(LAUNCH), *(str(int(number)) for number in numbers)]


def _environment() -> Mapping[str, str]:
    # nothing of ours: it holds secrets, and PG* variables that would change the server
    return {"LC_ALL": "C", "PATH": os.defpath} | {name: os.environ[name] for name in KEPT if name in os.environ}
