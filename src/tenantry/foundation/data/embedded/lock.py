"""One supervisor a folder: a file lock that the kernel releases when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from tenantry.foundation.data.embedded.failure import EmbeddedPostgresFailed

# a holder that was just killed may need a moment to be gone
PATIENCE = 0.5
TRY_AGAIN = 0.02
_held: set[int] = set()


class FolderLock:
    """The right to run the server of a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(self._file):
            holder = os.pread(self._file, 32, 0).decode().strip()
            os.close(self._file)
            raise EmbeddedPostgresFailed(
                f"{folder} is in use by another Tenantry (pid {holder}): stop it, or choose another folder."
            )
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        _held.add(self._file)

    @property
    def held(self) -> bool:
        """Whether it is still this process that holds the folder."""
        return self._file in _held

    def release(self) -> None:
        """Let another supervisor have the folder."""
        if self.held:
            _held.discard(self._file)
            os.close(self._file)


def _locked(file: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(TRY_AGAIN)
        else:
            return True


def _leave_to_the_parent() -> None:
    # a forked worker that outlives us would otherwise keep the folder locked
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_leave_to_the_parent)
