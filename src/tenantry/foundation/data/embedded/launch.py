"""The last step before a program of PostgreSQL: leave root, promise to die with the supervisor, become it.

Run by its path in a fresh interpreter, with nothing but the standard library, so that none of it happens
between a fork and an exec of a process with threads. Arguments: pid of the supervisor, uid, gid, uid to
appear as, signal at the supervisor's death (each -1 for none), then the command.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
REFUSED = 71


def main() -> None:
    """Drop, promise, become."""
    parent, uid, gid, appear_as, signal = (int(word) for word in sys.argv[1:6])
    command = sys.argv[6:]
    try:
        if uid >= 0:
            become(uid, gid)
        if appear_as >= 0:
            borrow(appear_as)
        # after the change of account, which would clear it
        if signal >= 0 and sys.platform == "linux":
            die_with(parent, signal)
        os.execv(command[0], command)  # noqa: S606  the command is the supervisor's own
    except OSError as failure:
        sys.exit(f"FATAL:  could not run {command[0]} as uid {os.geteuid()}: {failure}")


def become(uid: int, gid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def borrow(uid: int) -> None:
    """Appear under another uid to this process alone, in a user namespace; files still get the real one."""
    real = os.geteuid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        sys.exit(REFUSED)
    try:
        with open("/proc/self/uid_map", "w", encoding="ascii") as mapping:
            mapping.write(f"{uid} {real} 1")
    except OSError:
        sys.exit(REFUSED)


def die_with(parent: int, signal: int) -> None:
    """Ask the kernel for the signal when the thread that started us ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    # the supervisor may have died before we asked
    if os.getppid() != parent:
        sys.exit("FATAL:  the supervisor is gone")


main()
