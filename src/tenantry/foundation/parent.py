"""Processes that must not outlive the one that started them, however that one ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when the one that started it is gone, even by kill -9. Linux only.

    Killed, not told to end: one that drained for its clients would hold the port against its successor, and nobody
    would be left to end it. `parent` is the starter's pid, where it is not a process of `multiprocessing`.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != (parent or _starter()):
        # it was gone before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)


def _starter() -> int:
    forked_by = multiprocessing.parent_process()
    return os.getppid() if forked_by is None or forked_by.pid is None else forked_by.pid
